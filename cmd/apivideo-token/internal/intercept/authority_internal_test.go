package intercept

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"
)

func newTestAuthority(t *testing.T) (*authority, *x509.CertPool) {
	a, err := newAuthority(hosts)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return a, pool
}

// Promise: The authority of `run -intercept` is valid for the two API hosts and for a day.
func TestAuthorityIsForTheHostsOnly(t *testing.T) {
	a, pool := newTestAuthority(t)
	assert.Equal(t, []string{"ws.api.video", "sandbox.api.video"}, hosts)
	for _, host := range hosts {
		_, err := a.host[host].Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host})
		assert.NoError(t, err)
		_, err = a.host[host].Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: time.Now().Add(lifetime + time.Second)})
		assert.ErrorContains(t, err, "expired")
	}
	// Whoever had the key could not use it for other names.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	root := *a.cert
	root.PublicKey = nil
	stolen, err := sign(&root, &root, &key.PublicKey, key)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(stolen)
	thief := &authority{cert: stolen}
	good, err := thief.issue("ws.api.video", key)
	require.NoError(t, err)
	_, err = good.Leaf.Verify(x509.VerifyOptions{Roots: pool})
	assert.NoError(t, err)
	for _, name := range []string{"example.com", "api.video", "evil-ws.api.video"} {
		leaf, err := thief.issue(name, key)
		require.NoError(t, err)
		_, err = leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool})
		assert.ErrorContains(t, err, "not permitted", name)
	}
	template := newTemplate("an address")
	template.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
	leaf, err := sign(template, stolen, &key.PublicKey, key)
	require.NoError(t, err)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	assert.ErrorContains(t, err, "excluded")
}

func TestAuthorityRefusesOtherNames(t *testing.T) {
	a, pool := newTestAuthority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.config())
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { conn.(*tls.Conn).Handshake(); conn.Close() }()
		}
	}()
	for _, c := range []struct {
		name string
		max  uint16
		ok   bool
	}{
		{"ws.api.video", tls.VersionTLS13, true},
		{"sandbox.api.video", tls.VersionTLS12, true},
		{"ws.api.video", tls.VersionTLS11, false},
		{"example.com", tls.VersionTLS13, false},
		{"", tls.VersionTLS13, false},
	} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{
			RootCAs: pool, ServerName: c.name, MaxVersion: c.max, MinVersion: tls.VersionTLS10,
			InsecureSkipVerify: c.name == "", // without a name there is none to verify
		})
		assert.Equal(t, c.ok, err == nil, "%v: %v", c, err)
		if err == nil {
			conn.Close()
		}
	}
}

func TestTrustKeepsTheRootsThatAreThere(t *testing.T) {
	a, _ := newTestAuthority(t)
	other, _ := newTestAuthority(t)
	dir, mine := t.TempDir(), filepath.Join(t.TempDir(), "mine.pem")
	require.NoError(t, os.WriteFile(mine, other.pem(), 0o600))
	vars, err := a.trust(dir, func(name string) string { return map[string]string{"CURL_CA_BUNDLE": mine}[name] })
	require.NoError(t, err)
	read := func(name string) []*x509.Certificate {
		text, err := os.ReadFile(vars[name])
		require.NoError(t, err)
		return certificates(text)
	}
	assert.Greater(t, len(read("SSL_CERT_FILE")), 50, "the system's roots")
	assert.Contains(t, read("SSL_CERT_FILE"), a.cert)
	assert.Equal(t, []*x509.Certificate{other.cert, a.cert}, read("CURL_CA_BUNDLE"))
	assert.Equal(t, []*x509.Certificate{other.cert, a.cert}, read("REQUESTS_CA_BUNDLE"), "requests looks there, too")
	assert.Equal(t, []*x509.Certificate{a.cert}, read("NODE_EXTRA_CA_CERTS"))
	store, err := os.ReadFile(filepath.Join(dir, "java.p12"))
	require.NoError(t, err)
	certs, err := pkcs12.DecodeTrustStore(store, javaPassword)
	require.NoError(t, err)
	assert.Contains(t, certs, a.cert)
	assert.Greater(t, len(certs), 50)
}
