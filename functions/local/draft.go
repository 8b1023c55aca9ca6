package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// A draft becomes a file when it is whole, so that nothing half written takes the place of what was there. The name - is
// standard output; what is no ordinary file, such as a pipe, is written to as it is.
type draft struct {
	io.Writer
	file   *os.File
	name   string // as it was typed
	target string // what the draft is to replace, empty if it is written to directly
}

// newDraft opens a draft, so that a name that cannot be written to is known before anything is done.
func newDraft(name string, stdout io.Writer) (*draft, error) {
	if name == "-" {
		return &draft{Writer: stdout}, nil
	}
	if std := standard(name); std != nil { // as /dev/stdout: what leads to a file is not to be replaced under it
		return &draft{Writer: std, name: name}, nil
	}
	target := resolved(name)
	f, err := openDraft(target)
	if err != nil {
		return nil, usage(fmt.Errorf("cannot write %s: %w", name, bare(err)), "name a file in a folder that can be written to")
	}
	d := &draft{Writer: f, file: f, name: name}
	if f.Name() != target {
		d.target = target
	}
	return d, nil
}

func openDraft(target string) (*os.File, error) {
	switch info, err := os.Stat(target); {
	case err == nil && info.IsDir():
		return nil, errors.New("it is a folder")
	case err == nil && !info.Mode().IsRegular():
		return os.OpenFile(target, os.O_WRONLY, 0)
	case err == nil && info.Mode().Perm()&0o222 == 0:
		return nil, errors.New("it is write-protected")
	case err == nil:
		f, err := createDraft(target)
		if err == nil {
			err = f.Chmod(info.Mode().Perm())
		}
		return f, err
	}
	return createDraft(target)
}

// createDraft creates a file beside the target, with the rights that whoever runs this gives to new files.
func createDraft(target string) (*os.File, error) {
	name := fmt.Sprintf(".%s-%d", filepath.Base(target), rand.Uint64())
	return os.OpenFile(filepath.Join(filepath.Dir(target), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

// standard is the standard output or error that a name is another name of, or nil.
func standard(name string) *os.File {
	info, err := os.Stat(name)
	if err != nil || !strings.HasPrefix(filepath.ToSlash(name), "/dev/") && !strings.HasPrefix(filepath.ToSlash(name), "/proc/") {
		return nil
	}
	for _, std := range []*os.File{os.Stdout, os.Stderr} {
		if have, err := std.Stat(); err == nil && os.SameFile(info, have) {
			return std
		}
	}
	return nil
}

// resolved is the file that a name leads to, so that a link is kept and what it points to replaced.
func resolved(name string) string {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// bare leaves out of an error the name of a file that nobody has typed.
func bare(err error) error {
	var path *os.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// keep gives the draft its name.
func (d *draft) keep() error {
	if d.file == nil {
		return nil
	}
	err := d.file.Close()
	if err == nil && d.target != "" {
		err = os.Rename(d.file.Name(), d.target)
	}
	if err != nil {
		d.discard()
		return fmt.Errorf("cannot write %s: %w", d.name, bare(err))
	}
	return nil
}

// discard takes back a draft that is of no use to anyone.
func (d *draft) discard() {
	if d != nil && d.file != nil {
		d.file.Close()
		if d.target != "" {
			os.Remove(d.file.Name())
		}
	}
}

// differ refuses to write to a file that is read, or to one file twice: one of the two would be lost.
func differ(read []string, written ...string) error {
	seen := map[string]bool{}
	for _, name := range read {
		seen[resolved(name)] = name != "-"
	}
	for _, name := range written {
		if name == "" || name == "-" {
			continue
		}
		target := resolved(name)
		if seen[target] {
			return usage(fmt.Errorf("%s is named twice", name), "name a file of its own for each")
		}
		seen[target] = true
	}
	return nil
}
