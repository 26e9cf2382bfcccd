package intercept

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// dialTime is how long a connection to a host may take, with the user's own
// proxy between.
const dialTime = 30 * time.Second

// dial connects to a host and port, through the proxy that the environment of
// this process names for it.
func dial(ctx context.Context, target string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	through, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: target}})
	if err != nil {
		return nil, errors.New("HTTPS_PROXY is not a URL") // without it, which may have a password
	}
	var d net.Dialer
	if through == nil {
		return d.DialContext(ctx, "tcp", target)
	}
	port, ok := map[string]string{"http": "80", "https": "443"}[through.Scheme]
	if !ok {
		return nil, fmt.Errorf("HTTPS_PROXY has the scheme %s; run -intercept knows http and https", through.Scheme)
	}
	if through.Port() != "" {
		port = through.Port()
	}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(through.Hostname(), port))
	if err != nil {
		return nil, err
	}
	if through.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: through.Hostname()})
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })
	defer stop()
	conn, err = connect(conn, target, through.User)
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", through.Host, err)
	}
	return conn, nil
}

// connect asks a proxy for a tunnel. If it fails, conn is closed.
func connect(conn net.Conn, target string, user *url.Userinfo) (net.Conn, error) {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{"User-Agent": {""}}}
	if user != nil {
		password, _ := user.Password()
		credential := http.Request{Header: http.Header{}}
		credential.SetBasicAuth(user.Username(), password)
		req.Header["Proxy-Authorization"] = credential.Header["Authorization"]
	}
	err := req.Write(conn)
	in := bufio.NewReader(conn)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(in, req)
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return ahead(conn, in), nil
}

// early is a connection of which a part was read already.
type early struct {
	net.Conn
	in io.Reader
}

func ahead(conn net.Conn, in *bufio.Reader) net.Conn {
	if in.Buffered() == 0 {
		return conn
	}
	read, _ := in.Peek(in.Buffered())
	return &early{conn, io.MultiReader(bytes.NewReader(read), conn)}
}

func (c *early) Read(p []byte) (int, error) { return c.in.Read(p) }

// NetConn is for the server, which knows the connection below.
func (c *early) NetConn() net.Conn { return c.Conn }

// CloseWrite ends the direction to the other side, if it can.
func (c *early) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// join copies in both directions until both have ended, and closes both.
func join(a, b net.Conn) {
	defer a.Close()
	defer b.Close()
	var wg sync.WaitGroup
	wg.Go(func() { pour(a, b) })
	pour(b, a)
	wg.Wait()
}

// pour copies from one connection to another, and ends that direction.
func pour(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		to.Close()
		from.Close()
	}
}
