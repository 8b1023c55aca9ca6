package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/partsweep/partsweep/test/runtimes"
	"github.com/partsweep/partsweep/test/sandbox"
)

// A platform is one that starts functions, with the service of its own cloud.
type platform struct {
	name           string // of the function's folder
	host           func() (runtimes.Host, error)
	service        sandbox.Service
	bucket, region string
}

var (
	lambda = platform{"lambda", func() (runtimes.Host, error) { return runtimes.StartLambda() }, sandbox.S3, "media", "eu-west-1"}
	fc     = platform{"fc", func() (runtimes.Host, error) { return runtimes.StartFC() }, sandbox.OSS, "media", "cn-shanghai"}
	scf    = platform{"scf", func() (runtimes.Host, error) { return runtimes.StartSCF() }, sandbox.COS, "media-1250000000", "ap-guangzhou"}
)

const concurrency = 16

var role = runtimes.Credentials{AccessKeyID: sandbox.AccessKeyID, SecretAccessKey: sandbox.SecretAccessKey, SessionToken: sandbox.SessionToken}

// allowed is the platform's bucket in the notation, as PARTSWEEP_BUCKETS has it.
func (p platform) allowed() string {
	return fmt.Sprintf("%s://%s?region=%s", p.service, p.bucket, p.region)
}

// sweep is the event of the timer.
func (p platform) sweep() []byte { return fmt.Appendf(nil, `{"sweep":"%s&olderThan=2d"}`, p.allowed()) }

// others is a bucket of somebody else's.
func (p platform) others() string { return strings.Replace(p.bucket, "media", "others", 1) }

// settings are the function's, on a sandbox.
func (p platform) settings(s *sandbox.Sandbox) []string {
	name := "PARTSWEEP_" + strings.ToUpper(string(p.service))
	env := []string{"PARTSWEEP_MODE=apply", "PARTSWEEP_BUCKETS=" + p.allowed(), fmt.Sprint("PARTSWEEP_CONCURRENCY=", concurrency), name + "_ENDPOINT=" + s.URL(p.service)}
	if p.service != sandbox.COS {
		env = append(env, name+"_PATH_STYLE=true")
	}
	return env
}

// build builds the functions as for deployment, for this machine, into a new folder.
func build(ctx context.Context) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "partsweep-kill-"); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", dir+string(filepath.Separator))
	for _, p := range []platform{lambda, fc, scf} {
		cmd.Args = append(cmd.Args, "github.com/partsweep/partsweep/functions/"+p.name)
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the functions: %w\n%s", err, out)
	}
	return dir, nil
}
