package network_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secured is the service behind TLS, with a certificate that a test may change. It
// speaks HTTP/2 to who asks for it.
type secured struct {
	*service
	*authority
	certificate           atomic.Pointer[tls.Certificate]
	connections, requests atomic.Int64 // that the server has seen
}

func newSecured(t *testing.T) *secured {
	s := &secured{service: newService(t), authority: newAuthority(t)}
	s.use(t, "127.0.0.1", time.Hour)
	s.host.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.service.ServeHTTP(w, r)
	})
	s.host.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.host.EnableHTTP2 = true
	s.host.TLS = s.configuration()
	s.host.StartTLS()
	s.conf.BaseURL = s.host.URL
	return s
}

// configuration is that of a server which proves itself with the certificate.
func (s *secured) configuration() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{*s.certificate.Load()}, NextProtos: []string{"h2"}}, nil
	}}
}

// use has new connections see a certificate for this host that expires so late.
func (s *secured) use(t *testing.T, host string, expires time.Duration) {
	t.Helper()
	certificate := s.issue(t, host, time.Now().Add(expires))
	s.certificate.Store(&certificate)
}

// transport returns a new transport with this configuration, whose connections
// end with the test.
func transport(t *testing.T, conf *tls.Config) *http.Transport {
	tr := &http.Transport{TLSClientConfig: conf}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func TestTLSPrivateAuthorityOfContextClient(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	client := s.conf.Client(over(t, transport(t, s.trusted())))
	resp, err := client.Get(s.conf.BaseURL + "/videos")
	require.NoError(t, err)
	assert.Equal(t, videos, body(t, resp))
	assert.EqualValues(t, 2, s.requests.Load(), "an auth call and a request")
	assert.EqualValues(t, 1, s.connections.Load())
}

func TestTLSBadCertificateIsNamedAndSeldomTried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		host    string
		expires time.Duration
		trusted bool
		cause   any
		text    string
	}{
		"unknown authority": {"127.0.0.1", time.Hour, false, new(x509.UnknownAuthorityError), "certificate signed by unknown authority"},
		"expired":           {"127.0.0.1", -time.Hour, true, new(x509.CertificateInvalidError), "certificate has expired"},
		"another host":      {"ws.example.test", time.Hour, true, new(x509.HostnameError), "cannot validate certificate for 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecured(t)
			s.use(t, c.host, c.expires)
			conf := s.trusted()
			if !c.trusted {
				conf = nil
			}
			client := s.conf.Client(over(t, transport(t, conf)))
			flights, err := s.besiege(t, func() error {
				_, err := client.Get(s.conf.BaseURL + "/videos")
				return err
			})
			require.ErrorAs(t, s.failure(t, err), c.cause)
			require.ErrorAs(t, err, new(*tls.CertificateVerificationError))
			assert.ErrorContains(t, err, c.text)
			assert.Positive(t, s.connections.Load())
			assert.LessOrEqual(t, s.connections.Load(), flights)
			assert.Zero(t, s.requests.Load())
		})
	}
}

func TestTLSBadCertificateKeepsRefreshToken(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	tr := transport(t, s.trusted())
	source := s.conf.Source(over(t, tr))
	_, err := source.Token()
	require.NoError(t, err)
	tr.CloseIdleConnections()
	s.use(t, "127.0.0.1", -time.Hour)
	_, err = source.Renew(t.Context())
	require.ErrorAs(t, s.failure(t, err), new(*tls.CertificateVerificationError))
	assert.EqualValues(t, 1+2, s.connections.Load(), "with the refresh token, and with the key")
	assert.EqualValues(t, 1, s.requests.Load())
	s.use(t, "127.0.0.1", time.Hour)
	s.renews(t, source)
	assert.Equal(t, []string{"/auth/api-key", "/auth/refresh"}, s.authPaths())
}

func TestTLSBadAPICertificateCostsNoAuthCall(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	source := s.conf.Source(over(t, transport(t, s.trusted())))
	client := &http.Client{Transport: &apivideo.Transport{Source: source, Base: transport(t, nil)}}
	for range 3 {
		_, err := client.Get(s.conf.BaseURL + "/videos")
		s.hear(err)
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
	}
	assert.Equal(t, []string{"/auth/api-key"}, s.authPaths())
	assert.EqualValues(t, 1, s.requests.Load(), "the auth call alone")
}
