package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// usualRoots are where most distributions have their certificates. If one is
// there, it need not be read, which takes milliseconds.
var usualRoots = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"}

// bringRoots provides root certificates where the system has none, as in an image
// that is built from scratch, or without the package ca-certificates. It reports
// whether it did.
func bringRoots() bool {
	if rootsFrom() != "" {
		return false
	}
	for _, name := range usualRoots {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			return false
		}
	}
	if pool, err := x509.SystemCertPool(); err == nil && !pool.Equal(x509.NewCertPool()) {
		return false
	}
	pool, _ := roots()
	x509.SetFallbackRoots(pool) // they count only if the system has none
	return true
}

// rootsFrom is what names the certificates, other than the system's usual place:
// a variable, or another system than Linux. If the user names them, there is no
// fallback.
func rootsFrom() string {
	if runtime.GOOS != "linux" {
		return runtime.GOOS
	}
	for _, name := range []string{certFileVariable, "SSL_CERT_DIR"} {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// trusted says where the root certificates are from.
func (a *app) trusted() string {
	switch from := rootsFrom(); {
	case a.ownRoots:
		return "built in, the system has none"
	case from == "" || from == runtime.GOOS:
		return "the system's"
	default:
		return "from " + from + unreadableRoots()
	}
}

// unknownAuthority reports whether the service's certificate is of an authority
// that is not trusted here, such as a company's proxy.
func unknownAuthority(err error) bool {
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// trustIt is how a user trusts another authority: package crypto/x509 reads the
// variable on Unix except macOS.
var trustIt = map[bool]string{
	true:  "set " + certFileVariable + " to the file of its certificates",
	false: "add its certificate to the system's",
}[runtime.GOOS != "darwin" && runtime.GOOS != "windows"]

// unreadableRoots says so if the file that the user named cannot be read. Package
// crypto/x509 says nothing.
func unreadableRoots() string {
	name := os.Getenv(certFileVariable)
	if rootsFrom() != certFileVariable {
		return ""
	}
	if _, err := os.ReadFile(name); err != nil {
		return fmt.Sprintf("; it is set, but cannot be read: %v", withoutPath(err))
	}
	return ""
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
