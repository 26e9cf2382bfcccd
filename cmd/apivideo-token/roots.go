package main

import (
	"crypto/x509"
	"os"
	"runtime"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// bringRoots provides root certificates in an image that is built from scratch.
// Elsewhere it does nothing, since they take milliseconds to read.
func bringRoots() {
	if runtime.GOOS != "linux" {
		return
	}
	for _, dir := range []string{"/etc/ssl", "/etc/pki"} {
		if _, err := os.Stat(dir); err == nil {
			return
		}
	}
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil:
		case root.Constraint == nil:
			pool.AddCert(cert)
		default:
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	x509.SetFallbackRoots(pool) // they count only if the system has none
}
