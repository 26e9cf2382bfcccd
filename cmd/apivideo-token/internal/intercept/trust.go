package intercept

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
	"software.sslmate.com/src/go-pkcs12"
)

// systemBundles are the files in which systems keep root certificates.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Red Hat
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // macOS
}

// systemRoots returns the root certificates of this system, or those in this
// program if there are none.
func systemRoots() []byte {
	for _, name := range systemBundles {
		if text, err := os.ReadFile(name); err == nil && len(certificates(text)) > 0 {
			return text
		}
	}
	var text []byte
	for root := range bundle.Roots() {
		if root.Constraint == nil { // a file cannot limit one
			text = append(text, encode(root.Certificate)...)
		}
	}
	return text
}

// javaPassword is what Java's own trust store has, too. It guards nothing.
const javaPassword = "changeit"

// trust writes files for runtimes to trust the authority beside the roots that
// they trust already. It returns the variables that name the files.
func (a *authority) trust(dir string, getenv func(string) string) (map[string]string, error) {
	f := files{dir: dir, getenv: getenv, roots: systemRoots(), authority: a.pem()}
	vars := map[string]string{}
	roots := f.roots // each runtime looks at the variables before its own, too
	for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"} {
		if own := f.own(name); own != nil {
			roots = own
		}
		vars[name] = f.write(name+".pem", roots)
	}
	vars["NODE_EXTRA_CA_CERTS"] = f.write("node.pem", f.own("NODE_EXTRA_CA_CERTS")) // beside Node's own roots
	vars["NODE_USE_ENV_PROXY"] = "1"
	vars["PHP_INI_SCAN_DIR"] = f.php(getenv("PHP_INI_SCAN_DIR"), vars["CURL_CA_BUNDLE"])
	// A trust store replaces the roots that Java ships.
	vars["JAVA_TOOL_OPTIONS"] = f.java(getenv("JAVA_TOOL_OPTIONS"), append(f.own("SSL_CERT_FILE"), f.roots...))
	return vars, f.err
}

// files writes files until something fails.
type files struct {
	dir              string
	getenv           func(string) string
	roots, authority []byte
	err              error // the first
}

// fail keeps the first error.
func (f *files) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// own is the content of the file that a variable of the user's names, nil if
// there is none.
func (f *files) own(variable string) []byte {
	name := f.getenv(variable)
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		f.fail("the file of %s cannot be read: %w", variable, cause(err))
	}
	return append(text, '\n')
}

// cause is err without the name of the file.
func cause(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// write writes certificates and the authority's, and returns the file's name.
func (f *files) write(name string, certs []byte) string {
	return f.put(name, append(append([]byte{}, certs...), f.authority...))
}

func (f *files) put(name string, content []byte) string {
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.fail("a file of -intercept cannot be written: %w", cause(err))
	}
	return path
}

// php returns the folders in which PHP looks for settings: as before, and one
// that names the bundle.
func (f *files) php(before, bundle string) string {
	dir := filepath.Join(f.dir, "php")
	if err := os.Mkdir(dir, 0o700); err != nil {
		f.fail("a folder of -intercept cannot be made: %w", cause(err))
	}
	f.put(filepath.Join("php", "apivideo.ini"), fmt.Appendf(nil, "curl.cainfo = \"%s\"\nopenssl.cafile = \"%[1]s\"\n", bundle))
	return before + string(os.PathListSeparator) + dir // an empty name is PHP's own folder
}

// java returns the options of Java machines: as before, and a trust store.
func (f *files) java(before string, roots []byte) string {
	all := certificates(append(append([]byte{}, roots...), f.authority...))
	store, err := pkcs12.LegacyDES.EncodeTrustStore(all, javaPassword) // which every Java reads
	if err != nil {
		f.fail("the trust store cannot be made: %w", err)
	}
	path := f.put("java.p12", store)
	if strings.Contains(path, " ") {
		path = `"` + path + `"`
	}
	return strings.TrimSpace(before + " -Djavax.net.ssl.trustStore=" + path +
		" -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=" + javaPassword)
}

// JavaProxy returns the options that have Java machines use the proxy at an
// address. They know no user info, so they reach the API's hosts only.
func JavaProxy(at string) string {
	host, port, _ := net.SplitHostPort(at)
	return " -Dhttps.proxyHost=" + host + " -Dhttps.proxyPort=" + port
}
