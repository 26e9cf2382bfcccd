package main

import (
	"crypto/x509"
	"os"
	"runtime"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// bringRoots provides root certificates in an image that is built from
// scratch. Elsewhere it does nothing: reading them takes milliseconds.
func bringRoots() {
	if runtime.GOOS != "linux" {
		return
	}
	for _, dir := range []string{"/etc/ssl", "/etc/pki"} {
		if _, err := os.Stat(dir); err == nil {
			return
		}
	}
	pool, _ := roots()
	x509.SetFallbackRoots(pool) // they count only if the system has none
}

// roots returns the root certificates in this program, and how many there are.
func roots() (pool *x509.CertPool, n int) {
	pool = x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // one that this version of Go does not take
		}
		n++
		if root.Constraint == nil {
			pool.AddCert(cert)
		} else {
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	return pool, n
}
