//go:build unix

package dbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// supervise runs "$@" until standard input ends, then ends it and removes the folder $0. The other end of that input is
// held by the test process alone: however it ends, SIGKILL included, the server and its files go with it. (Pdeathsig
// does not: it follows the thread that started the child, and leaves the files.) TERM ends Redis, which a shell starts
// with QUIT ignored; QUIT ends PostgreSQL, which on TERM would wait for its clients.
const supervise = `"$@" </dev/null >"$0/log" 2>&1 & pid=$!
cat >/dev/null
exec 2>/dev/null
kill -TERM $pid; kill -QUIT $pid
wait $pid
rm -rf "$0"`

// errPortTaken is when another process took the free port first.
var errPortTaken = errors.New("the port is taken")

// process is a server that a test runs.
type process struct {
	dir   string
	input *os.File
	shell *exec.Cmd
}

// start runs a command under supervision with dir as its folder, as the unprivileged user when there is one.
func start(dir string, as *syscall.Credential, command ...string) (*process, error) {
	return startShell(supervise, dir, as, command...)
}

// startShell is start under a script of its own.
func startShell(script, dir string, as *syscall.Credential, command ...string) (*process, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	shell := exec.Command("/bin/sh", append([]string{"-c", script, dir}, command...)...)
	shell.Stdin = read
	shell.Dir = dir
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as} // apart from Ctrl-C
	err = shell.Start()
	_ = read.Close()
	if err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	return &process{dir: dir, input: write, shell: shell}, nil
}

// stop ends the server and waits for it.
func (p *process) stop() {
	_ = p.input.Close()
	_ = p.shell.Wait()
}

// await asks until the server answers. What it said is in the error when it does not within 30 s.
func (p *process) await(ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		err := ask(ctx)
		said, _ := os.ReadFile(filepath.Join(p.dir, "log"))
		if err == nil && bytes.Contains(bytes.ToLower(said), []byte("ready to accept connections")) {
			return nil // it, and not who took the port first
		}
		if bytes.Contains(said, []byte("already in use")) {
			return errPortTaken
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w\n%s", errors.Join(err, ctx.Err()), said)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unprivileged is a user to run a server as that refuses to run as root; nil when this process is not root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}
