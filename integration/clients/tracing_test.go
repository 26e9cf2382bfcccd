package clients_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/secret"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/oauth2"
)

// tracing records spans, and the traces that requests to the API belong to.
type tracing struct {
	spans    *tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
	src      *apivideo.Source
	above    bool // otelhttp is, of the Transport

	mu      sync.Mutex // guards what follows
	parents []string
}

func newTracing() *tracing {
	spans := tracetest.NewSpanRecorder()
	return &tracing{
		spans:    spans,
		provider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)),
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

// note passes a request on, and notes the trace that it belongs to.
func (tr *tracing) note(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/auth/") {
		tr.mu.Lock()
		tr.parents = append(tr.parents, r.Header.Get("Traceparent"))
		tr.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// assertNoSecret looks for secrets in all data of the spans.
func (tr *tracing) assertNoSecret(t *testing.T) {
	t.Helper()
	spans := tracetest.SpanStubsFromReadOnlySpans(tr.spans.Ended())
	text, err := json.Marshal(spans)
	require.NoError(t, err)
	dump := fmt.Sprintf("%s %+v", text, spans)
	assert.Empty(t, secret.In(dump))
	assert.NotContains(t, dump, "Bearer")
}

// eachWayToTrace runs a test with otelhttp over the Transport, and under it.
// Auth calls are traced both times.
func eachWayToTrace(t *testing.T, test func(t *testing.T, srv *apivideotest.Server, tr *tracing, client *http.Client)) {
	t.Parallel()
	for name, above := range map[string]bool{"above": true, "below": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := newServer(t)
			tr := newTracing()
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: tr.over(wire.Func(tr.note))})
			tr.src = srv.Config().Source(ctx)
			client := tr.src.Client(ctx)
			if tr.above = above; above {
				client.Transport = tr.over(&apivideo.Transport{Source: tr.src, Base: wire.Func(tr.note)})
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
		tr.assertNoSecret(t)
	})
}

// A refresh and an exchange fail. The answers repeat all secrets.
func TestTracingOfFailureHasNoSecret(t *testing.T) {
	eachWayToTrace(t, func(t *testing.T, srv *apivideotest.Server, tr *tracing, client *http.Client) {
		create := creating(client, srv.URL+"/videos")
		require.NoError(t, create())
		tok, err := tr.src.Token()
		require.NoError(t, err)
		secrets := strings.Join([]string{srv.Config().APIKey, tok.AccessToken, tok.RefreshToken}, " ")
		echo, err := json.Marshal(map[string]string{"type": "made-up", "title": "Sent: " + secrets})
		require.NoError(t, err)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
			return apivideotest.Answer(http.StatusBadRequest, "application/problem+json", string(echo))
		})
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
		require.NotEmpty(t, tr.parents)
		assert.Equal(t, parents, tr.parents[1:])
	})
}
