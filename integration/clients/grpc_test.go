package clients_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/oauth"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A gRPC client gets the token of each call from a Source, but does not report a
// refusal to it. An interceptor does that, and repeats the call.
func TestGRPCWithInvalidateSeesNoRefusal(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	src := srv.Config().Source(t.Context())
	client := grpc_health_v1.NewHealthClient(dial(t, srv, src, grpc.WithUnaryInterceptor(invalidating(src))))
	acrossTheLifeOfTokens(t, srv, func() error {
		_, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		return err
	})
}

func TestGRPCAloneKeepsRevokedToken(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	src := srv.Config().Source(t.Context())
	client := grpc_health_v1.NewHealthClient(dial(t, srv, src))
	check := func() codes.Code {
		_, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		return status.Code(err)
	}
	require.Equal(t, codes.OK, check())
	srv.RevokeAccessTokens()
	require.Equal(t, codes.Unauthenticated, check())
	require.Equal(t, codes.Unauthenticated, check())
	tok, err := src.Token()
	require.NoError(t, err)
	src.Invalidate(tok)
	require.Equal(t, codes.OK, check())
}

// invalidating repeats a call that was refused, with another token. Just before
// the call it asks the Source which token is current. If the token is renewed in
// between, Invalidate does nothing.
func invalidating(src *apivideo.Source) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		tok, err := src.TokenContext(ctx)
		if err != nil {
			return err
		}
		err = invoke(ctx, method, req, reply, cc, opts...)
		if status.Code(err) == codes.Unauthenticated {
			src.Invalidate(tok)
			err = invoke(ctx, method, req, reply, cc, opts...)
		}
		return err
	}
}

// dial connects to a new gRPC server, which accepts the access tokens of srv.
func dial(t *testing.T, srv *apivideotest.Server, src *apivideo.Source, opts ...grpc.DialOption) *grpc.ClientConn {
	server := grpc.NewServer(grpc.UnaryInterceptor(guard(srv)))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	host := httptest.NewUnstartedServer(server)
	host.EnableHTTP2 = true
	host.StartTLS()
	t.Cleanup(host.Close)
	roots := x509.NewCertPool()
	roots.AddCert(host.Certificate())
	conn, err := grpc.NewClient(host.Listener.Addr().String(), append(opts,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})),
		grpc.WithPerRPCCredentials(oauth.TokenSource{TokenSource: src}))...)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// guard lets a call through whose authorization srv accepts.
func guard(srv *apivideotest.Server) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		values := metadata.ValueFromIncomingContext(ctx, "authorization")
		if len(values) != 1 {
			return nil, status.Errorf(codes.InvalidArgument, "%d values", len(values))
		}
		create := httptest.NewRequest("POST", "/videos", strings.NewReader(newVideo))
		create.Header.Set("Authorization", values[0])
		answer := httptest.NewRecorder()
		srv.ServeHTTP(answer, create)
		if answer.Code != http.StatusCreated {
			return nil, status.Error(codes.Unauthenticated, answer.Body.String())
		}
		return handle(ctx, req)
	}
}
