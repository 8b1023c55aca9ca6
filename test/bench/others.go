package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// peers are other people's programs that abort stale uploads, as far as they are found on the PATH. They take minutes. Both
// understand more, such as --dry-run.
func peers(more ...string) (found []contestant) {
	const keys = "AKIDEXAMPLE:secret"
	id, secret, _ := strings.Cut(keys, ":")
	for _, p := range []struct {
		program string
		environ func(url string) []string
		args    []string
	}{
		{"rclone", func(url string) []string {
			return []string{"RCLONE_CONFIG=/dev/null", "RCLONE_CONFIG_L_TYPE=s3", "RCLONE_CONFIG_L_PROVIDER=Other", "RCLONE_CONFIG_L_ENDPOINT=" + url,
				"RCLONE_CONFIG_L_ACCESS_KEY_ID=" + id, "RCLONE_CONFIG_L_SECRET_ACCESS_KEY=" + secret, "RCLONE_CONFIG_L_FORCE_PATH_STYLE=true"}
		}, []string{"backend", "cleanup", "l:bench", "-o", "max-age=48h"}},
		{"mc", func(url string) []string {
			return []string{"MC_HOST_l=" + strings.Replace(url, "://", "://"+keys+"@", 1)}
		}, []string{"--quiet", "rm", "--incomplete", "--recursive", "--force", "--older-than", "2d", "l/bench"}},
	} {
		path, err := exec.LookPath(p.program)
		if err != nil {
			continue
		}
		found = append(found, contestant{p.program, func(ctx context.Context, b *bench, _ workload) (cost, error) {
			return tool(ctx, p.environ(b.url), path, append(p.args, more...)...)
		}})
	}
	return found
}

// missing says which of them are not found.
func missing(out io.Writer) {
	for _, name := range []string{"rclone", "mc"} {
		if _, err := exec.LookPath(name); err != nil {
			fmt.Fprintf(out, "%s is left out: it is not on the PATH\n", name)
		}
	}
}

// tool runs a program to its end. Its peak of memory is what the kernel says then, which begins with what this program held when
// it started it: so what the other says, which may be a line for each of a million uploads, is not held here.
func tool(ctx context.Context, environ []string, path string, args ...string) (cost, error) {
	home, err := os.MkdirTemp("", "partsweep-bench-")
	if err != nil {
		return cost{}, err
	}
	defer os.RemoveAll(home)
	said, err := os.Create(filepath.Join(home, "said"))
	if err != nil {
		return cost{}, err
	}
	defer said.Close()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}, environ...)
	cmd.Stdout, cmd.Stderr = said, said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("%w\n%s", err, tail(said))
	}
	c := cost{wall: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = u.Maxrss << 10
	}
	return c, nil
}

// tail is the end of a file.
func tail(f *os.File) []byte {
	const most = 4 << 10
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	text := make([]byte, min(end, most))
	n, _ := f.ReadAt(text, end-int64(len(text)))
	return text[:n]
}
