package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// certificateLife is how long the certificates are valid.
const certificateLife = 30 * 24 * time.Hour

// secure serves TLS on a listener, with a certificate of a new authority. The
// file has the authority's own certificate.
func secure(listener net.Listener, address string) (_ net.Listener, file string, err error) {
	authority := template("apivideo-standin")
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	authorityDER, authorityKey, err := certify(authority, authority, nil)
	if err != nil {
		return nil, "", err
	}
	leaf := template("localhost")
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = append(leaf.IPAddresses, ip)
	} else if host != "" {
		leaf.DNSNames = append(leaf.DNSNames, host)
	}
	leafDER, leafKey, err := certify(leaf, authority, authorityKey)
	if err != nil {
		return nil, "", err
	}
	f, err := os.CreateTemp("", "apivideo-standin-*.pem")
	if err != nil {
		return nil, "", err
	}
	err = pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: authorityDER})
	if closed := f.Close(); err == nil {
		err = closed
	}
	conf := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}},
		NextProtos:   []string{"http/1.1"},
	}
	return tls.NewListener(listener, conf), f.Name(), err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// certify makes a certificate and its key. A nil issuerKey is the key itself.
func certify(subject, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	if issuerKey == nil {
		issuerKey = key
	}
	der, err = x509.CreateCertificate(rand.Reader, subject, issuer, &key.PublicKey, issuerKey)
	return der, key, err
}
