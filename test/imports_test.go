// Package test holds what concerns the project as a whole.
package test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/partsweep/partsweep/"

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// packages lists every package of the project, without its tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

// drivers speak one cloud each.
var drivers = []string{"s3store", "cosstore", "obsstore", "ossstore", "vodstore", "mpsstore"}

// house says what each room may import of the project. A package that is in no room fails the test.
var house = []struct {
	room string   // a package, or a folder if it ends in a slash
	may  []string // packages and folders of the project
	sdks []string // modules from elsewhere; nil is none but the standard library
}{
	{"shared/mpu", nil, nil},
	{"shared/trigger", []string{"shared/mpu"}, nil},
	{"shared/store", []string{"shared/mpu"}, []string{"github.com/failsafe-go/failsafe-go", "golang.org/x/time"}},
	{"shared/acs3", []string{"shared/store"}, nil},
	{"shared/store/storetest", []string{"shared/mpu", "shared/store"}, nil},
	{"shared/store/wire", []string{"shared/mpu", "shared/store"}, nil},
	{"shared/store/wire/acs", []string{"shared/acs3", "shared/mpu", "shared/store", "shared/store/wire"}, nil},
	{"shared/store/s3store", driverMay, nil},
	{"shared/store/cosstore", driverMay, []string{"github.com/tencentyun/cos-go-sdk-v5"}},
	{"shared/store/obsstore", driverMay, nil},
	{"shared/store/ossstore", driverMay, []string{"github.com/aliyun/alibabacloud-oss-go-sdk-v2/"}},
	{"shared/store/vodstore", driverMay, nil},
	{"shared/store/mpsstore", driverMay, nil},
	{"shared/store/all", append([]string{"shared/mpu", "shared/store"}, driverFolders()...), nil},
	{"shared/plan", []string{"shared/mpu"}, nil},
	{"shared/page", []string{"shared/mpu"}, nil},
	{"shared/lifecycle", []string{"shared/mpu", "shared/store"}, nil},
	{"shared/janitor", []string{"shared/mpu", "shared/store"}, nil},
	{"shared/relay", []string{"shared/acs3", "shared/mpu", "shared/store", "shared/store/wire"}, []string{"github.com/aws/aws-sdk-go-v2/", "github.com/tencentcloud/tencentcloud-sdk-go/"}},
	{"shared/handler", []string{"shared/mpu", "shared/trigger", "shared/store", "shared/janitor", "shared/relay"}, nil},
	{"functions/lambda", functionMay, []string{"github.com/aws/"}},
	{"functions/fc", functionMay, []string{"github.com/aliyun/fc-runtime-go-sdk/"}},
	{"functions/scf", functionMay, []string{"github.com/tencentyun/scf-go-lib/"}},
	{"functions/http", functionMay, nil},
	{"functions/local", []string{"shared/", "events", "test/sandbox"}, []string{"github.com/", "golang.org/x/term"}},
	{"events", nil, nil},
	{"test/sandbox", nil, nil},
	{"test/sandbox/sandboxtest", []string{"test/sandbox", "shared/lifecycle", "shared/mpu", "shared/store", "shared/store/storetest"}, nil},
	{"test/runtimes", nil, nil},
	{"test/bench", []string{"test/runtimes"}, []string{"github.com/aws/aws-sdk-go-v2/"}},
	{"test/bench/hello", nil, []string{"github.com/aws/aws-lambda-go/"}},
	{"infra/package", nil, nil},
	{"test/", []string{"test/", "shared/"}, nil},
}

var (
	driverMay   = []string{"shared/mpu", "shared/store", "shared/store/wire", "shared/store/wire/acs"}
	functionMay = []string{"shared/handler", "shared/relay", "shared/store", "shared/store/all"}
)

func driverFolders() (paths []string) {
	for _, d := range drivers {
		paths = append(paths, "shared/store/"+d)
	}
	return paths
}

// Imports run one way, so that each part can be read, tested and replaced without the ones above it.
func TestImportsRunOneWay(t *testing.T) {
	for _, p := range packages(t) {
		room := slices.IndexFunc(house, func(h struct {
			room string
			may  []string
			sdks []string
		}) bool {
			return h.room == p.ImportPath || strings.HasSuffix(h.room, "/") && strings.HasPrefix(p.ImportPath+"/", h.room)
		})
		if room < 0 {
			t.Errorf("%s has no place in the house", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, module); ok {
				if !covered(house[room].may, ours) {
					t.Errorf("%s must not import %s", p.ImportPath, ours)
				}
			} else if elsewhere := strings.Contains(strings.Split(imported, "/")[0], "."); elsewhere && !covered(house[room].sdks, imported) {
				t.Errorf("%s must not import %s", p.ImportPath, imported)
			}
		}
	}
}

func covered(allowed []string, path string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		return a == path || strings.HasPrefix(path, strings.TrimSuffix(a, "/")+"/") && (strings.HasSuffix(a, "/") || strings.Contains(a, "."))
	})
}
