// Package deploy checks the Kubernetes manifests of docs/deployment.md with the
// types of Kubernetes. The tests of cmd/apivideo-token run what they start.
package deploy

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var block = regexp.MustCompile("(?s)```(\\w+)\n(.*?)```")

// section returns the blocks of a section of docs/deployment.md, by language.
func section(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/deployment.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n## "+name+"\n")
	require.True(t, found, name)
	rest, _, _ = strings.Cut(rest, "\n## ")
	blocks := map[string]string{}
	for _, b := range block.FindAllStringSubmatch(rest, -1) {
		blocks[b[1]] = b[2]
	}
	return blocks
}

// podOf returns the pod of a Deployment. A field that Kubernetes does not have
// fails the test.
func podOf(t *testing.T, name string) corev1.PodSpec {
	t.Helper()
	var d appsv1.Deployment
	require.NoError(t, yaml.UnmarshalStrict([]byte(section(t, name)["yaml"]), &d))
	assert.Equal(t, "apps/v1", d.APIVersion)
	assert.Equal(t, "Deployment", d.Kind)
	assert.Equal(t, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels)
	assert.Nil(t, d.Spec.Template.Spec.ShareProcessNamespace)
	return d.Spec.Template.Spec
}

// assertRestricted checks what the restricted Pod Security Standard asks for, and
// a read-only root.
func assertRestricted(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	p := pod.SecurityContext
	assert.True(t, *p.RunAsNonRoot)
	assert.Positive(t, *p.RunAsUser)
	assert.Equal(t, *p.RunAsGroup, *p.FSGroup)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, p.SeccompProfile.Type)
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		s := c.SecurityContext
		assert.False(t, *s.AllowPrivilegeEscalation, c.Name)
		assert.True(t, *s.ReadOnlyRootFilesystem, c.Name)
		assert.Equal(t, []corev1.Capability{"ALL"}, s.Capabilities.Drop, c.Name)
	}
}

// assertVolumes checks that secrets are mounted as folders, and readable by the
// group only.
func assertVolumes(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	declared := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		declared[v.Name] = v
	}
	mounted := map[string]bool{}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		for _, m := range c.VolumeMounts {
			mounted[m.Name] = true
			assert.Empty(t, m.SubPath, "a change would not arrive")
			v, ok := declared[m.Name]
			if assert.True(t, ok, m.Name) && v.Secret != nil {
				assert.True(t, m.ReadOnly, m.Name)
				assert.EqualValues(t, 0o440, *v.Secret.DefaultMode, m.Name)
			}
		}
	}
	assert.Len(t, mounted, len(declared))
}

// Promise: The blocks of the deployment document work as they stand.
func TestManifestOfGoProgram(t *testing.T) {
	pod := podOf(t, "A Go program in Kubernetes")
	assertRestricted(t, pod)
	assertVolumes(t, pod)
	require.Len(t, pod.Containers, 1)
	c := pod.Containers[0]
	assert.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
	assert.Equal(t, c.Ports[0].Name, c.ReadinessProbe.HTTPGet.Port.StrVal)
	assert.Nil(t, c.LivenessProbe.HTTPGet)
	assert.True(t, strings.HasPrefix(c.Env[0].Value, c.VolumeMounts[0].MountPath+"/"), "the key is in the volume")
}

// Promise: The blocks of the deployment document work as they stand.
func TestManifestOfSidecar(t *testing.T) {
	pod := podOf(t, "A sidecar in Kubernetes")
	assertRestricted(t, pod)
	assertVolumes(t, pod)
	require.Len(t, pod.InitContainers, 1)
	sidecar, program := pod.InitContainers[0], pod.Containers[0]
	assert.Equal(t, corev1.ContainerRestartPolicyAlways, *sidecar.RestartPolicy)
	for _, probe := range []*corev1.Probe{sidecar.StartupProbe, sidecar.ReadinessProbe} {
		assert.Equal(t, []string{"/apivideo-token", "ready", "-listen=127.0.0.1:8787"}, probe.Exec.Command)
	}
	assert.Nil(t, sidecar.LivenessProbe)
	assert.Equal(t, "serve", sidecar.Args[0])
	assert.Contains(t, sidecar.Args, "-listen=127.0.0.1:8787")
	assert.Contains(t, strings.Join(sidecar.Args, "\n"), "\n-allow=")

	// The program has the proxy's secret, not the key.
	assert.Empty(t, program.VolumeMounts)
	assert.Equal(t, "http://127.0.0.1:8787", program.Env[0].Value)
	ref := program.Env[1].ValueFrom.SecretKeyRef
	commands := section(t, "A sidecar in Kubernetes")["text"]
	assert.Regexp(t, `(?m)^kubectl create secret generic `+ref.Name+` --from-literal=`+ref.Key+`=`, commands)
	names := map[string]string{} // of Secrets, by path
	for _, m := range sidecar.VolumeMounts {
		for _, v := range pod.Volumes {
			if v.Name == m.Name && v.Secret != nil {
				names[m.MountPath] = v.Secret.SecretName
			}
		}
	}
	assert.Equal(t, ref.Name, names["/run/secrets/proxy"])
	assert.Contains(t, sidecar.Args, "-secret-file=/run/secrets/proxy/"+ref.Key)
	assert.Equal(t, "/run/secrets/apivideo/key", sidecar.Env[0].Value)
	assert.Regexp(t, `(?m)^kubectl create secret generic `+names["/run/secrets/apivideo"]+` --from-file=key=`, commands)
}
