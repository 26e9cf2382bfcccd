package apivideotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/require"
)

// both runs a test against a server on the network and one in memory.
func both(t *testing.T, f func(t *testing.T, srv *apivideotest.Server)) {
	t.Run("network", func(t *testing.T) {
		srv := apivideotest.NewServer()
		defer srv.Close()
		f(t, srv)
	})
	t.Run("memory", func(t *testing.T) { f(t, apivideotest.NewUnstartedServer()) })
}

// reply is an answer and what it says if it is JSON.
type reply struct {
	status int
	header http.Header
	body   string

	apivideo.Problem
	Access    string `json:"access_token"`
	Refresh   string `json:"refresh_token"`
	Token     string `json:"token"`
	VideoID   string `json:"videoId"`
	ExpiresIn int64  `json:"expires_in"`
}

// call sends a request and reads its answer.
func call(t *testing.T, srv *apivideotest.Server, method, path, authorization, body string) reply {
	t.Helper()
	req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	return read(t, resp)
}

func post(t *testing.T, srv *apivideotest.Server, path, body string) reply {
	t.Helper()
	return call(t, srv, "POST", path, "", body)
}

func get(t *testing.T, srv *apivideotest.Server, path, authorization string) reply {
	t.Helper()
	return call(t, srv, "GET", path, authorization, "")
}

func read(t *testing.T, resp *http.Response) reply {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &r)
	return r
}

func (r reply) id() string { return r.Type[strings.LastIndex(r.Type, "/")+1:] }

func exchange(t *testing.T, srv *apivideotest.Server) reply {
	t.Helper()
	r := post(t, srv, "/auth/api-key", `{"apiKey":"`+srv.Config().APIKey+`"}`)
	require.Equal(t, 200, r.status)
	return r
}

func refresh(t *testing.T, srv *apivideotest.Server, token string) reply {
	t.Helper()
	return post(t, srv, "/auth/refresh", `{"refreshToken":"`+token+`"}`)
}
