package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (c *console) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "say which version this is",
		Example: "  partsweep version",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return c.writeVersion() },
	}
}

func (c *console) writeVersion() error {
	v := map[string]string{"version": "development", "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			v["version"] = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v["commit"] = s.Value
			}
		}
	}
	if c.json {
		return json.NewEncoder(c.out).Encode(v)
	}
	text := "partsweep " + v["version"]
	if v["commit"] != "" {
		text += " (" + v["commit"] + ")"
	}
	_, err := fmt.Fprintf(c.out, "%s, %s, %s\n", text, v["go"], v["platform"])
	return err
}
