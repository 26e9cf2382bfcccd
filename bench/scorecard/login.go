package scorecard

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const loginPath = "/auth/api-key"

// grant is the service's answer to a login.
type grant struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// login is the function that a program writes if its library has none for the
// service.
func login(ctx context.Context, s Setup) (token string, expiry time.Time, err error) {
	req, err := newLogin(ctx, s.loginURL(), s.Key)
	if err != nil {
		return "", time.Time{}, err
	}
	resp, err := s.loginClient().Do(req)
	if err != nil {
		return "", time.Time{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", time.Time{}, fmt.Errorf("login: %s", resp.Status)
	}
	var g grant
	if err := json.NewDecoder(resp.Body).Decode(&g); err != nil {
		return "", time.Time{}, err
	}
	return g.AccessToken, time.Now().Add(time.Duration(g.ExpiresIn) * time.Second), nil
}

// newLogin is a login as the service understands it.
func newLogin(ctx context.Context, target, key string) (*http.Request, error) {
	body, err := json.Marshal(map[string]string{"apiKey": key})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func speaksNatively(service http.RoundTripper) http.RoundTripper { return service }

func speaksOAuth2(service http.RoundTripper) http.RoundTripper {
	return &interpreter{service, oauth2Key, func(body []byte) []byte { return body }}
}

func speaksAWS(service http.RoundTripper) http.RoundTripper {
	return &interpreter{service, awsKey, awsGrant}
}

// interpreter has the service understand another protocol of logins.
type interpreter struct {
	service http.RoundTripper
	key     func(req *http.Request, body string) string
	grant   func(body []byte) []byte
}

func (i *interpreter) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path != loginPath {
		return i.service.RoundTrip(req)
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	native, err := newLogin(req.Context(), req.URL.String(), i.key(req, string(body)))
	if err != nil {
		return nil, err
	}
	resp, err := i.service.RoundTrip(native)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	said = i.grant(said)
	resp.Body, resp.ContentLength, resp.Request = io.NopCloser(bytes.NewReader(said)), int64(len(said)), req
	resp.Header.Del("Content-Length")
	return resp, nil
}

// oauth2Key returns the client secret, or the key that a signed assertion names.
func oauth2Key(req *http.Request, body string) string {
	if _, secret, ok := req.BasicAuth(); ok {
		return secret
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return ""
	}
	head, _, _ := strings.Cut(form.Get("assertion"), ".")
	decoded, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		KeyID string `json:"kid"`
	}
	if err != nil || json.Unmarshal(decoded, &header) != nil {
		return ""
	}
	return header.KeyID
}

func awsKey(req *http.Request, _ string) string { return req.Header.Get("Authorization") }

// awsGrant is a grant as credentials of AWS.
func awsGrant(body []byte) []byte {
	var g grant
	if json.Unmarshal(body, &g) != nil {
		return body
	}
	translated, err := json.Marshal(map[string]string{
		"AccessKeyId":     "scorecard",
		"SecretAccessKey": "unused",
		"Token":           g.AccessToken,
		"Expiration":      time.Now().Add(time.Duration(g.ExpiresIn) * time.Second).UTC().Format(time.RFC3339),
	})
	if err != nil {
		return body
	}
	return translated
}

// privateKey returns a key for the assertions of cloud auth. The service does
// not check them.
var privateKey = sync.OnceValues(func() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
})
