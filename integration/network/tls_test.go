package network_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSecured returns a service behind TLS, with the certificate of package
// httptest. It speaks HTTP/2 if the client asks for it.
func newSecured(t *testing.T) *service { return newService(t, (*httptest.Server).StartTLS) }

// trusted is the configuration of a client that trusts the certificate.
func (s *service) trusted() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.host.Certificate())
	return &tls.Config{RootCAs: pool}
}

// afterAll is the time when the certificate has expired.
func afterAll() time.Time { return time.Now().AddDate(100, 0, 0) }

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
		change func(*tls.Config)
		cause  any
		text   string
	}{
		"unknown authority": {func(c *tls.Config) { c.RootCAs = nil }, new(x509.UnknownAuthorityError), "certificate signed by unknown authority"},
		"expired":           {func(c *tls.Config) { c.Time = afterAll }, new(x509.CertificateInvalidError), "certificate has expired"},
		"another host":      {func(c *tls.Config) { c.ServerName = "ws.example.test" }, new(x509.HostnameError), "not ws.example.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecured(t)
			conf := s.trusted()
			c.change(conf)
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
	conf := s.trusted()
	var late atomic.Bool
	conf.Time = func() time.Time {
		if late.Load() {
			return afterAll()
		}
		return time.Now()
	}
	tr := transport(t, conf)
	source := s.conf.Source(over(t, tr))
	_, err := source.Token()
	require.NoError(t, err)
	tr.CloseIdleConnections()
	late.Store(true)
	_, err = source.Renew(t.Context())
	require.ErrorAs(t, s.failure(t, err), new(*tls.CertificateVerificationError))
	assert.EqualValues(t, 1+2, s.connections.Load(), "with the refresh token, and with the key")
	assert.EqualValues(t, 1, s.requests.Load())
	late.Store(false)
	s.renews(t, source)
	assert.Equal(t, []op{authenticate, refresh}, s.authCalls())
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
	assert.Equal(t, []op{authenticate}, s.authCalls())
	assert.EqualValues(t, 1, s.requests.Load(), "only the auth call")
}
