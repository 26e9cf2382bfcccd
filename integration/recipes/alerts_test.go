package recipes_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// rules are the alerts of docs/operations.md.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Annotations struct{ Summary string }
		}
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// alerts writes the alerts to a file and returns its name.
func alerts(t *testing.T) (file string, all rules) {
	t.Helper()
	document, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	found := yamlBlock.FindSubmatch(document)
	require.NotNil(t, found)
	require.NoError(t, yaml.Unmarshal(found[1], &all))
	require.NotEmpty(t, all.Groups)
	file = filepath.Join(t.TempDir(), "alerts.yml")
	require.NoError(t, os.WriteFile(file, found[1], 0o600))
	return file, all
}

// promtool is the tool of Prometheus, of the Debian package prometheus.
func promtool(t *testing.T, input string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Promise: Each alert of the operations document fires in its incident, and none with the metrics of a healthy Source.
func TestAlertsNameMetricsOfScrape(t *testing.T) {
	t.Parallel()
	srv := apivideotest.NewServer()
	defer srv.Close()
	metrics := scrape(collector{"1a2b3c4d": srv.Config().Source(t.Context())})
	promtool(t, metrics, "check", "metrics")
	file, all := alerts(t)
	promtool(t, "", "check", "rules", file)
	for _, rule := range all.Groups[0].Rules {
		selectors := regexp.MustCompile(`(apivideo_\w+)(?:{(.*?)})?`).FindAllStringSubmatch(rule.Expr, -1)
		assert.NotEmpty(t, selectors, rule.Alert)
		for _, s := range selectors {
			assert.Regexp(t, `(?m)^`+s[1]+`{.*`+s[2]+`.*} `, metrics, rule.Alert)
		}
	}
}

// incidents are values once a minute of the series that changes.
var incidents = map[string]string{
	"ApivideoNotReady":     `apivideo_ready{account="1a2b3c4d"} 1x5 0x400`,
	"ApivideoRenewalFails": `apivideo_token_failing_since_timestamp_seconds{account="1a2b3c4d"} 0x5 300x400`,
	"ApivideoTokenRefused": `apivideo_token_refusals_total{account="1a2b3c4d"} 0+1x400`,
	"ApivideoManyLogins":   `apivideo_auth_calls_total{account="1a2b3c4d",result="exchanged"} 1+0.1x400`,
	"ApivideoStoreFails":   `apivideo_store_failures_total{account="1a2b3c4d"} 0x380 0+1x20`,
	"ApivideoRequestsWait": `apivideo_token_waits_total{account="1a2b3c4d"} 0+1x400`,
}

// Each alert fires in its incident, and no other does. None fires with the
// values of a real, healthy Source.
// Promise: Each alert of the operations document fires in its incident, and none with the metrics of a healthy Source.
func TestAlertsFireInTheirIncidents(t *testing.T) {
	t.Parallel()
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(t.Context())
	_, err := src.Token()
	require.NoError(t, err)
	healthy := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^(apivideo_.*}) (.*)$`).FindAllStringSubmatch(scrape(collector{"1a2b3c4d": src}), -1) {
		healthy[line[1]] = line[2] + "x400"
	}
	require.Len(t, healthy, len(measures))
	file, all := alerts(t)
	cases := []map[string]any{unitTest(all, healthy, "")}
	require.Len(t, incidents, len(all.Groups[0].Rules))
	for alert, incident := range incidents {
		series, values, _ := strings.Cut(incident, "} ")
		require.Contains(t, healthy, series+"}", alert)
		changed := map[string]string{}
		for name, v := range healthy {
			changed[name] = v
		}
		changed[series+"}"] = values
		cases = append(cases, unitTest(all, changed, alert))
	}
	data, err := yaml.Marshal(map[string]any{"rule_files": []string{file}, "tests": cases})
	require.NoError(t, err)
	test := filepath.Join(t.TempDir(), "test.yml")
	require.NoError(t, os.WriteFile(test, data, 0o600))
	promtool(t, "", "test", "rules", test)
}

var label = regexp.MustCompile(`(\w+)="(.*?)"`)

// unitTest is a test of promtool: of all alerts, one fires after 395 minutes.
func unitTest(all rules, series map[string]string, firing string) map[string]any {
	var input, expected []map[string]any
	for name, values := range series {
		input = append(input, map[string]any{"series": name, "values": values})
	}
	for _, rule := range all.Groups[0].Rules {
		alerts := []any{}
		if rule.Alert == firing {
			labels := map[string]string{}
			for _, l := range label.FindAllStringSubmatch(incidents[firing], -1) {
				labels[l[1]] = l[2]
			}
			summary := strings.ReplaceAll(rule.Annotations.Summary, "{{ $labels.account }}", labels["account"])
			alerts = append(alerts, map[string]any{"exp_labels": labels, "exp_annotations": map[string]string{"summary": summary}})
		}
		expected = append(expected, map[string]any{"eval_time": "395m", "alertname": rule.Alert, "exp_alerts": alerts})
	}
	return map[string]any{"name": fmt.Sprint("incident ", firing), "interval": "1m", "input_series": input, "alert_rule_test": expected}
}
