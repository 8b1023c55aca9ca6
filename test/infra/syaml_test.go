package infra

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/partsweep/partsweep/shared/handler"
	"github.com/partsweep/partsweep/shared/mpu"
)

// definition is as much of a definition for Serverless Devs, and of its component fc3, as s.yaml uses. The component's own JSON
// schema (github.com/devsapp/fc3, src/schema.json) is in no package registry; it knows each of these names, and the file passes it.
type definition struct {
	Edition   string            `yaml:"edition"`
	Name      string            `yaml:"name"`
	Access    string            `yaml:"access"`
	Vars      map[string]string `yaml:"vars"`
	Resources map[string]struct {
		Component string   `yaml:"component"`
		Props     function `yaml:"props"`
	} `yaml:"resources"`
}

type function struct {
	Region                                    string
	FunctionName                              string `yaml:"functionName"`
	Description, Runtime, Handler, Code, Role string
	MemorySize                                int `yaml:"memorySize"`
	CPU                                       float64
	DiskSize                                  int `yaml:"diskSize"`
	Timeout                                   int
	InstanceConcurrency                       int               `yaml:"instanceConcurrency"`
	LogConfig                                 string            `yaml:"logConfig"`
	EnvironmentVariables                      map[string]string `yaml:"environmentVariables"`
	AsyncInvokeConfig                         struct {
		MaxAsyncRetryAttempts     int `yaml:"maxAsyncRetryAttempts"`
		MaxAsyncEventAgeInSeconds int `yaml:"maxAsyncEventAgeInSeconds"`
		DestinationConfig         struct {
			OnFailure struct{ Destination string } `yaml:"onFailure"`
		} `yaml:"destinationConfig"`
	} `yaml:"asyncInvokeConfig"`
	Triggers []struct {
		TriggerName    string    `yaml:"triggerName"`
		TriggerType    string    `yaml:"triggerType"`
		SourceARN      string    `yaml:"sourceArn"`
		InvocationRole string    `yaml:"invocationRole"`
		TriggerConfig  yaml.Node `yaml:"triggerConfig"`
	}
}

// triggers are the names that a trigger's configuration has, by the trigger's type; all of them must be there.
var triggers = map[string]any{
	"timer": &struct {
		Enable         bool
		CronExpression string `yaml:"cronExpression"`
		Payload        string
	}{},
	"oss": &struct {
		Events []string
		Filter struct {
			Key struct{ Prefix, Suffix *string }
		}
	}{},
	"mns_topic": &struct {
		NotifyContentFormat string `yaml:"notifyContentFormat"`
		NotifyStrategy      string `yaml:"notifyStrategy"`
	}{},
	"http": &struct {
		AuthType string `yaml:"authType"`
		Methods  []string
	}{},
	"eventbridge": &struct {
		TriggerEnable          bool      `yaml:"triggerEnable"`
		AsyncInvocationType    bool      `yaml:"asyncInvocationType"`
		EventRuleFilterPattern string    `yaml:"eventRuleFilterPattern"`
		EventSourceConfig      yaml.Node `yaml:"eventSourceConfig"`
		EventSinkConfig        yaml.Node `yaml:"eventSinkConfig"`
		RunOptions             yaml.Node `yaml:"runOptions"`
	}{},
}

func readDefinition(text string) (d definition, err error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return d, err
	}
	for _, r := range d.Resources {
		for _, t := range r.Props.Triggers {
			var b bytes.Buffer
			if err := yaml.NewEncoder(&b).Encode(&t.TriggerConfig); err != nil {
				return d, err
			}
			dec := yaml.NewDecoder(&b)
			dec.KnownFields(true)
			if err := dec.Decode(triggers[t.TriggerType]); err != nil {
				return d, err
			}
		}
	}
	return d, nil
}

func TestServerlessDevs(t *testing.T) {
	b, err := os.ReadFile("../../infra/alibaba/s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	d, err := readDefinition(text)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for name, r := range d.Resources {
		if r.Component != "fc3" || r.Props.Runtime != "go1" || r.Props.Timeout == 0 {
			t.Errorf("%s: %+v", name, r.Props)
		}
		var environ []string
		for variable, value := range r.Props.EnvironmentVariables {
			environ = append(environ, variable+"="+strings.NewReplacer("${vars.region}", "cn-shanghai", "${vars.bucket}", "media").Replace(value))
		}
		s, err := handler.ParseSettings(environ)
		if err != nil || s.Apply {
			t.Errorf("%s: the first deployment plans, with settings that are right: %v, %+v", name, err, s)
		}
		for _, trigger := range r.Props.Triggers {
			kinds[trigger.TriggerType] = true
			var timer struct{ Payload string }
			if trigger.TriggerConfig.Decode(&timer); trigger.TriggerType == "timer" {
				if _, err := mpu.Parse(strings.NewReplacer("${vars.region}", "cn-shanghai", "${vars.bucket}", "media").Replace(timer.Payload)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if len(kinds) != len(triggers) {
		t.Errorf("triggers %v", kinds)
	}
	// A wrong word is noticed, wherever it stands.
	for _, word := range []string{"memorySize", "cronExpression", "onFailure", "notifyStrategy", "runOptions", "authType", "functionName", "vars:"} {
		if _, err := readDefinition(strings.Replace(text, word, "x"+word, 1)); err == nil {
			t.Errorf("x%s is not noticed", word)
		}
	}
}
