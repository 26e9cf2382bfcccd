package standin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/standin/operations"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// page uploads a file in two parts with an upload token, as the upload widget
// of a web page does, and shows the answers.
const page = `<!DOCTYPE html>
<title>upload</title>
<pre id="result">not finished</pre>
<script>
const base = %q, token = %q;
const send = async (range, content, videoId) => {
  const form = new FormData();
  if (videoId) form.append('videoId', videoId);
  form.append('file', new Blob([content]), 'film.mp4');
  const answer = await fetch(base + '/upload?token=' + token, {
    method: 'POST', body: form, headers: { 'Content-Range': range },
  });
  return [await answer.json(), answer.status, answer.headers.get('X-RateLimit-Remaining')];
};
(async () => {
  const [first] = await send('part 1/*', 'made-up ');
  const [last, status, remaining] = await send('part 2/2', 'film', first.videoId);
  const refused = await fetch(base + '/upload?token=made-up', { method: 'POST', body: new FormData() });
  return [status, last.title, last.videoId === first.videoId, remaining !== null, (await refused.json()).title].join('; ');
})().then(String, String).then((text) => { document.getElementById('result').textContent = text; });
</script>
`

// Promise: Web pages of every origin may log in and upload.
func TestBrowserUploadsFromAnotherOrigin(t *testing.T) {
	env, url := start(t)
	walker := operations.New(url, strings.TrimPrefix(env[1], "APIVIDEO_API_KEY="), http.DefaultClient)
	for _, step := range operations.Steps() {
		if step.Op == "POST /upload-tokens" {
			_, _, err := walker.Take(step)
			require.NoError(t, err)
		}
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, page, url, walker.Values["uploadToken"])
	}))
	defer site.Close()
	out, err := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu",
		"--user-data-dir="+t.TempDir(), "--virtual-time-budget=20000", "--dump-dom", site.URL).Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), ">201; film.mp4; true; true; The upload token is invalid or expired.<")
}
