package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// deployment returns the blocks of a section of docs/deployment.md.
func deployment(t *testing.T, section string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/deployment.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n## "+section+"\n")
	require.True(t, found, section)
	rest, _, _ = strings.Cut(rest, "\n## ")
	var blocks []string
	for _, b := range regexp.MustCompile("(?s)```\\w+\n(.*?)```").FindAllStringSubmatch(rest, -1) {
		blocks = append(blocks, b[1])
	}
	require.NotEmpty(t, blocks, section)
	return blocks
}

const madeUpSecret = "made-up-secret-of-this-pod"

// secretVolume is a Secret that a kubelet has mounted: root's, open to a group,
// and changed by moving a link.
func secretVolume(t *testing.T, group int, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "..data_1"), 0o755))
	require.NoError(t, os.Symlink("..data_1", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/"+name, filepath.Join(dir, name)))
	file := filepath.Join(dir, "..data_1", name)
	require.NoError(t, os.WriteFile(file, []byte(content), 0o440))
	require.NoError(t, os.Chmod(file, 0o440))
	require.NoError(t, os.Chown(file, 0, group))
	return dir
}

// freePort is one that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// pod is what the sidecar's test needs of a Deployment.
type pod struct {
	SecurityContext struct {
		FsGroup int `yaml:"fsGroup"`
	} `yaml:"securityContext"`
	InitContainers []struct {
		Args           []string
		Env            []struct{ Name, Value string }
		ReadinessProbe struct{ Exec struct{ Command []string } } `yaml:"readinessProbe"`
		VolumeMounts   []struct {
			Name string
			Path string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	} `yaml:"initContainers"`
}

func sidecarPod(t *testing.T) pod {
	t.Helper()
	blocks := deployment(t, "A sidecar in Kubernetes")
	var deployment struct {
		Spec struct{ Template struct{ Spec pod } }
	}
	require.NoError(t, yaml.Unmarshal([]byte(blocks[len(blocks)-1]), &deployment))
	require.Len(t, deployment.Spec.Template.Spec.InitContainers, 1)
	return deployment.Spec.Template.Spec
}

// container runs the program of an image as a container would: as PID 1, with the
// image as a read-only root, as the image's user, and with volumes by their path.
func (u *user) container(i *image, group int, volumes map[string]string, args ...string) *exec.Cmd {
	u.t.Helper()
	root := u.t.TempDir()
	require.NoError(u.t, os.Chmod(root, 0o755))
	require.NoError(u.t, copyFile(i.root+i.entrypoint[0], root+i.entrypoint[0]))
	script := fmt.Sprintf("mount --bind %[1]s %[1]s; mkdir -p %[1]s/proc; mount -t proc proc %[1]s/proc; ", root)
	for at, dir := range volumes {
		require.NoError(u.t, os.MkdirAll(root+at, 0o755))
		script += fmt.Sprintf("mount --bind %s %s%s; ", dir, root, at)
	}
	script += fmt.Sprintf("mount -o remount,bind,ro %[1]s; exec chroot --userspec=%[2]s --groups=%[3]d %[1]s \"$@\"", root, i.user, group)
	cmd := u.command()
	unshare, err := exec.LookPath("unshare")
	require.NoError(u.t, err)
	cmd.Path = unshare
	cmd.Args = append([]string{"unshare", "-mpf", "--kill-child", "sh", "-ec", script, "sh"}, append(i.entrypoint, args...)...)
	cmd.Env = append(cmd.Env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	return cmd
}

// childOf is the PID of the only child of a process, whichever of its threads
// started it.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	var children []string
	for _, thread := range threads {
		some, err := os.ReadFile(thread)
		require.NoError(t, err)
		children = append(children, strings.Fields(string(some))...)
	}
	require.Len(t, children, 1)
	child, err := strconv.Atoi(children[0])
	require.NoError(t, err)
	return child
}

// The sidecar of the document, from the image of the Dockerfile.
// Promise: The blocks of the deployment document work as they stand.
func TestDeploySidecar(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newUser(t)
	image := newImage(t)
	p := sidecarPod(t)
	s, group := p.InitContainers[0], p.SecurityContext.FsGroup
	port := freePort(t)
	withPort := func(args []string) (changed []string) {
		for _, a := range args {
			changed = append(changed, strings.ReplaceAll(a, "8787", port))
		}
		return changed
	}
	cache := t.TempDir()
	require.NoError(t, os.Chown(cache, 0, group))
	require.NoError(t, os.Chmod(cache, 0o777|os.ModeSetgid))
	volumes := map[string]string{
		"key": secretVolume(t, group, "key", u.key()), "secret": secretVolume(t, group, "secret", madeUpSecret), "cache": cache,
	}
	mounts := map[string]string{}
	for _, m := range s.VolumeMounts {
		require.NotEmpty(t, volumes[m.Name])
		mounts[m.Path] = volumes[m.Name]
	}
	delete(u.env, keyVariable)
	delete(u.env, "XDG_CACHE_HOME")
	delete(u.env, "HOME")
	for _, e := range s.Env {
		u.env[e.Name] = e.Value
	}
	cmd := u.container(image, group, mounts, withPort(s.Args)...)
	line, _ := u.start(cmd)
	assert.Equal(t, "http://127.0.0.1:"+port+"\n", line)

	file := filepath.Join(volumes["secret"], "secret")
	assert.Contains(t, u.curl(file, "http://127.0.0.1:"+port+"/videos"), `"data":`)
	assert.Contains(t, u.curl(file, "-X", "DELETE", "http://127.0.0.1:"+port+"/videos/vi1"), `"status":403`)
	kept, err := os.ReadDir(filepath.Join(cache, "apivideo"))
	require.NoError(t, err)
	assert.NotEmpty(t, kept, "the cache is used")
	probe := withPort(s.ReadinessProbe.Exec.Command)
	out, err := u.container(image, group, nil, probe[1:]...).CombinedOutput()
	assert.NoError(t, err, string(out))
	init := childOf(t, cmd.Process.Pid)
	assert.Positive(t, childOf(t, init), "PID 1 only supervises")
	require.NoError(t, syscall.Kill(init, syscall.SIGTERM))
	assert.NoError(t, cmd.Wait(), "PID 1 ends with status 0")
}

// settings returns the values of a unit's setting.
func settings(unit, name string) (values []string) {
	for _, m := range regexp.MustCompile(`(?m)^`+name+`=(.*)$`).FindAllStringSubmatch(unit, -1) {
		values = append(values, m[1])
	}
	return values
}

// Promise: The blocks of the deployment document work as they stand.
func TestDeploySystemdUnit(t *testing.T) {
	t.Parallel()
	unit := deployment(t, "systemd")[0]
	file := filepath.Join(t.TempDir(), "apivideo.service")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(unit, "/usr/local/bin/apivideo-token", "/bin/true")), 0o600))
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", file).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Empty(t, string(out))
	assert.Equal(t, []string{"yes"}, settings(unit, "DynamicUser"))
	assert.Equal(t, []string{"2 78"}, settings(unit, "RestartPreventExitStatus"))
}

// The command of the unit, with credentials as systemd gives them to a service.
// Promise: The blocks of the deployment document work as they stand.
func TestDeploySystemdService(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newUser(t)
	unit := deployment(t, "systemd")[0]
	port := freePort(t)
	credentials := t.TempDir()
	for name, content := range map[string]string{"key": u.key(), "secret": madeUpSecret} {
		assert.Contains(t, settings(unit, "LoadCredential"), name+":/etc/apivideo/"+name)
		file := filepath.Join(credentials, name)
		require.NoError(t, os.WriteFile(file, []byte(content+"\n"), 0o400))
		require.NoError(t, os.Chown(file, nobody, 0))
		require.NoError(t, os.Chmod(file, 0o440)) // of the access list, see exposed
	}
	delete(u.env, keyVariable)
	cache := t.TempDir()
	for _, dir := range []string{cache, credentials} {
		require.NoError(t, os.Chmod(dir, 0o777))
		require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	}
	for _, entry := range strings.Fields(settings(unit, "Environment")[0]) {
		name, value, _ := strings.Cut(entry, "=")
		u.env[name] = strings.NewReplacer("%d", credentials, "%C", cache).Replace(value)
	}
	line := strings.NewReplacer("${CREDENTIALS_DIRECTORY}", credentials, "8787", port, `"GET /"`, "GET\x00/").Replace(settings(unit, "ExecStart")[0])
	args := strings.Fields(line)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "\x00", " ")
	}
	cmd := u.command(args[1:]...)
	u.asNobody(cmd)
	printed, _ := u.start(cmd)
	assert.Equal(t, "http://127.0.0.1:"+port+"\n", printed)
	secret := filepath.Join(credentials, "secret")
	assert.Contains(t, u.curl(secret, "http://127.0.0.1:"+port+"/videos"), `"data":`)
	assert.Contains(t, u.curl(secret, "-X", "POST", "http://127.0.0.1:"+port+"/videos"), `"status":403`)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait())
	assert.DirExists(t, filepath.Join(cache, "apivideo"))
}
