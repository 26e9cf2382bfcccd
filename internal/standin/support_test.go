package standin_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
	"github.com/stretchr/testify/require"
)

const key = "made-up-key"

// client calls a service in memory.
type client struct {
	testing.TB
	service *standin.Service
}

func newClient(t testing.TB) client {
	service := standin.New(nil, nil)
	service.AddKey(key)
	return client{t, service}
}

// object is an answer in JSON.
type object map[string]any

// texts returns a field of the objects of a list.
func (o object) texts(field string) (texts []any) {
	data, _ := o["data"].([]any)
	for _, item := range data {
		texts = append(texts, item.(map[string]any)[field])
	}
	return texts
}

// get returns what a path leads to, such as "source.uri".
func (o object) get(path string) any {
	value := any(map[string]any(o))
	for name := range strings.SplitSeq(path, ".") {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}

// send makes a request with the key.
func (c client) send(method, path, contentType string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	c.Helper()
	req := httptest.NewRequest(method, path, body)
	req.SetBasicAuth(key, "")
	req.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.service.ServeHTTP(w, req)
	return w
}

// call makes a request that must be answered with this status.
func (c client) call(status int, method, path, body string) (o object) {
	c.Helper()
	w := c.send(method, path, "application/json", strings.NewReader(body))
	return c.answer(status, w)
}

func (c client) answer(status int, w *httptest.ResponseRecorder) (o object) {
	c.Helper()
	require.Equal(c, status, w.Code, "%s", w.Body)
	if w.Body.Len() > 0 && strings.Contains(w.Header().Get("Content-Type"), "json") {
		require.NoError(c, json.Unmarshal(w.Body.Bytes(), &o), "%s", w.Body)
	}
	return o
}

// upload sends a form with a file, whose further fields are names and values.
func (c client) upload(status int, path, name, content, contentRange string, values ...string) object {
	c.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(values); i += 2 {
		require.NoError(c, form.WriteField(values[i], values[i+1]))
	}
	file, err := form.CreateFormFile("file", name)
	require.NoError(c, err)
	io.WriteString(file, content)
	require.NoError(c, form.Close())
	headers := []string{}
	if contentRange != "" {
		headers = []string{"Content-Range", contentRange}
	}
	return c.answer(status, c.send(http.MethodPost, path, form.FormDataContentType(), &body, headers...))
}

// create makes a resource and returns its identifier.
func (c client) create(path, idField, body string) string {
	c.Helper()
	w := c.send(http.MethodPost, path, "application/json", strings.NewReader(body))
	require.Less(c, w.Code, 300, "%s", w.Body)
	var o object
	require.NoError(c, json.Unmarshal(w.Body.Bytes(), &o))
	return o[idField].(string)
}

func (c client) video(body string) string { return c.create("/videos", "videoId", body) }
