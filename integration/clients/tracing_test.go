package clients_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/oauth2"
)

// tracing records spans, and all that must not be in one.
type tracing struct {
	spans    *tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
	wire     *wiretap
	src      *apivideo.Source
	above    bool // otelhttp is, of the Transport
}

func newTracing(srv *apivideotest.Server) *tracing {
	spans := tracetest.NewSpanRecorder()
	return &tracing{
		spans:    spans,
		provider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
		wire:     &wiretap{secrets: []string{srv.Config().APIKey}},
	}
}

// over returns a transport that traces what it sends by base.
func (tr *tracing) over(base http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(base,
		otelhttp.WithTracerProvider(tr.provider), otelhttp.WithPropagators(propagation.TraceContext{}))
}

// ended returns the spans that have ended: those of auth calls, and of
// requests to the API.
func (tr *tracing) ended() (auth, api tracetest.SpanStubs) {
	for _, span := range tracetest.SpanStubsFromReadOnlySpans(tr.spans.Ended()) {
		if span.SpanKind != trace.SpanKindClient {
			continue
		}
		if strings.Contains(fmt.Sprint(span.Attributes), "/auth/") {
			auth = append(auth, span)
		} else {
			api = append(api, span)
		}
	}
	return auth, api
}

// wiretap is the innermost transport. It notes every secret that passes, and
// the trace that each request belongs to.
type wiretap struct {
	mu      sync.Mutex
	secrets []string
	parents []string // of requests to the API
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/auth/") {
		w.parents = append(w.parents, r.Header.Get("Traceparent"))
		w.secrets = append(w.secrets, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var grant struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if resp.StatusCode == http.StatusOK && json.Unmarshal(body, &grant) == nil {
		w.secrets = append(w.secrets, grant.AccessToken, grant.RefreshToken)
	}
	return resp, err
}

// known returns all secrets there have been.
func (w *wiretap) known() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(w.secrets)))
}

// assertNoSecret looks for the secrets in all there is to see of the spans.
func (tr *tracing) assertNoSecret(t *testing.T) {
	t.Helper()
	spans := tracetest.SpanStubsFromReadOnlySpans(tr.spans.Ended())
	text, err := json.Marshal(spans)
	require.NoError(t, err)
	dump := fmt.Sprintf("%s %+v", text, spans)
	for _, secret := range append(tr.wire.known(), "Bearer") {
		// The ends of it would be enough.
		assert.NotContains(t, dump, secret[:min(len(secret), 100)])
		assert.NotContains(t, dump, secret[max(0, len(secret)-16):])
	}
}

// eachWayToTrace runs a test with otelhttp over the Transport, and under it.
// Auth calls are traced both times.
func eachWayToTrace(t *testing.T, test func(t *testing.T, srv *apivideotest.Server, tr *tracing, client *http.Client)) {
	t.Parallel()
	for name, above := range map[string]bool{"above": true, "below": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			tr := newTracing(srv)
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: tr.over(tr.wire)})
			tr.src = srv.Config().Source(ctx)
			client := tr.src.Client(ctx)
			if tr.above = above; above {
				client.Transport = tr.over(&apivideo.Transport{Source: tr.src, Base: tr.wire})
			}
			test(t, srv, tr, client)
		})
	}
}

func TestTracingSeesAllCallsAndNoSecret(t *testing.T) {
	eachWayToTrace(t, func(t *testing.T, srv *apivideotest.Server, tr *tracing, client *http.Client) {
		acrossTheLifeOfTokens(t, srv, creating(client, srv.URL+"/videos"))
		auth, api := tr.ended()
		seen := srv.Counters()
		assert.Len(t, auth, seen.AuthCalls)
		if tr.above {
			assert.Len(t, api, seen.Authorized, "one for each request of the program")
		} else {
			assert.Len(t, api, seen.Authorized+seen.Unauthorized, "one for each that was sent")
		}
		assert.Len(t, tr.wire.known(), 1+2*(seen.Authenticated+seen.Refreshed))
		tr.assertNoSecret(t)
	})
}

// A refresh and an exchange fail, with answers that repeat all there is to
// keep secret.
func TestTracingOfFailureHasNoSecret(t *testing.T) {
	eachWayToTrace(t, func(t *testing.T, srv *apivideotest.Server, tr *tracing, client *http.Client) {
		create := creating(client, srv.URL+"/videos")
		require.NoError(t, create())
		echo, err := json.Marshal(map[string]string{"type": "made-up", "title": "Sent: " + strings.Join(tr.wire.known(), " ")})
		require.NoError(t, err)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
			return apivideotest.Answer(http.StatusBadRequest, "application/problem+json", string(echo))
		})
		tok, err := tr.src.Token()
		require.NoError(t, err)
		tr.src.Invalidate(tok)
		require.ErrorContains(t, create(), "Sent: ")
		auth, api := tr.ended()
		require.Len(t, auth, 3)
		if tr.above {
			require.Len(t, api, 2)
			assert.Contains(t, api[1].Status.Description, "Sent: ")
		}
		tr.assertNoSecret(t)
	})
}

func TestTracingKeepsTraceOfCaller(t *testing.T) {
	eachWayToTrace(t, func(t *testing.T, srv *apivideotest.Server, tr *tracing, client *http.Client) {
		require.NoError(t, creating(client, srv.URL+"/videos")())
		srv.RevokeAccessTokens()
		ctx, caller := tr.provider.Tracer("test").Start(t.Context(), "caller")
		req, err := http.NewRequestWithContext(ctx, "POST", srv.URL+"/videos", strings.NewReader(newVideo))
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, created(resp))

		_, api := tr.ended()
		require.NotEmpty(t, api)
		var parents []string
		for _, span := range api[1:] {
			assert.Equal(t, caller.SpanContext().TraceID(), span.SpanContext.TraceID())
			assert.Equal(t, caller.SpanContext().SpanID(), span.Parent.SpanID())
			parents = append(parents, fmt.Sprintf("00-%s-%s-01", span.SpanContext.TraceID(), span.SpanContext.SpanID()))
		}
		if tr.above {
			require.Len(t, parents, 1)
			parents = append(parents, parents[0]) // one span, sent twice
		}
		require.NotEmpty(t, tr.wire.parents)
		assert.Equal(t, parents, tr.wire.parents[1:])
	})
}
