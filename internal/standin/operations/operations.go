// Package operations lists all operations of the service's OpenAPI file,
// version 1.4, as the steps of a walk: each with a request that succeeds after
// the ones before. Tests make the walk at the service that they test.
package operations

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

//go:embed operations.json
var list []byte

// Step is one operation.
type Step struct {
	Op     string            // the method, and the path as the OpenAPI file has it
	Status int               // of the answer, as the OpenAPI file has it
	Query  string            // of the request
	Body   json.RawMessage   // of the request, if it has no file
	File   string            // the name of a file to upload
	Fields map[string]string // of the form beside the file
	Save   map[string]string // fields of the answer, by the name that later steps use
}

// Steps returns all operations.
func Steps() (steps []Step) {
	if err := json.Unmarshal(list, &steps); err != nil {
		panic(err)
	}
	return steps
}

// Walker makes the requests of steps.
type Walker struct {
	URL    string // of the service
	Key    string // the API key
	Client *http.Client
	Values map[string]string // for {name} in paths, queries and bodies
}

// New returns a Walker. Nothing is saved yet.
func New(url, key string, client *http.Client) *Walker {
	return &Walker{url, key, client, map[string]string{
		"key": key, "language": "en", "metric": "play", "aggregation": "count", "breakdown": "country",
	}}
}

// Take makes the request of a step, and saves what later steps need of its
// answer. The body of the answer has been read.
func (w *Walker) Take(step Step) (*http.Response, []byte, error) {
	req, err := w.request(step)
	if err != nil {
		return nil, nil, err
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(step.Save) == 0 {
		return resp, body, err
	}
	var answer map[string]any
	if err := json.Unmarshal(body, &answer); err != nil {
		return resp, body, fmt.Errorf("%s: %w", step.Op, err)
	}
	for name, field := range step.Save {
		value, ok := answer[field].(string)
		if !ok {
			return resp, body, fmt.Errorf("%s: the answer has no %s: %s", step.Op, field, body)
		}
		w.Values[name] = value
	}
	return resp, body, nil
}

func (w *Walker) request(step Step) (*http.Request, error) {
	method, path, _ := strings.Cut(step.Op, " ")
	body, contentType := []byte(w.fill(string(step.Body))), "application/json"
	if step.File != "" {
		var form bytes.Buffer
		parts := multipart.NewWriter(&form)
		file, _ := parts.CreateFormFile("file", step.File)
		io.WriteString(file, "made-up content")
		for name, value := range step.Fields {
			parts.WriteField(name, value)
		}
		parts.Close()
		body, contentType = form.Bytes(), parts.FormDataContentType()
	}
	url := w.URL + w.fill(path)
	if step.Query != "" {
		url += "?" + w.fill(step.Query)
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", contentType)
	}
	if !strings.HasPrefix(path, "/auth/") && path != "/upload" {
		req.SetBasicAuth(w.Key, "")
	}
	return req, nil
}

// fill replaces {name} by its value.
func (w *Walker) fill(text string) string {
	for name, value := range w.Values {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
