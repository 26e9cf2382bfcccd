// Package listen opens the addresses that only this machine reaches.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Address is where a proxy listens: on a loopback address or a Unix socket.
type Address struct{ network, name string }

// ParseAddress reads 127.0.0.1:8787, [::1]:0, localhost:8787 or unix:/path.
func ParseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return Address{}, errors.New("the address has no path; write unix:/path")
		}
		if path[0] == '@' { // on Linux no file, but a name that every user may connect to
			return Address{}, errors.New("the path begins with @; write unix:/path, or unix:./@name")
		}
		return Address{"unix", path}, nil
	}
	host, _, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, errors.New("the address must be like 127.0.0.1:8787 or unix:/path")
	}
	if host == "localhost" {
		return Address{"tcp", s}, nil
	}
	if addr, err := netip.ParseAddr(host); err != nil || !addr.IsLoopback() {
		return Address{}, errors.New("the address is not loopback; other machines could use the account")
	}
	return Address{"tcp", s}, nil
}

// Host returns the Host header of requests to a.
func (a Address) Host() string {
	if a.network == "unix" {
		return "localhost"
	}
	return a.name
}

// Dial connects to a.
func (a Address) Dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	host, port, err := net.SplitHostPort(a.name)
	if a.network == "unix" || err != nil || host != "localhost" {
		return d.DialContext(ctx, a.network, a.name)
	}
	return d.DialContext(ctx, a.network, net.JoinHostPort("127.0.0.1", port)) // listenTCP has it
}

// Listener is where requests arrive.
type Listener struct {
	All   []net.Listener // one, or one for each loopback address of localhost
	URL   string         // http://127.0.0.1:8787, or unix:/path
	Hosts []string       // the Host headers that are its own
}

// Close closes all of l.
func (l *Listener) Close() error {
	var all []error
	for _, one := range l.All {
		all = append(all, one.Close())
	}
	return errors.Join(all...)
}

// Listen listens at a. Only the user of this process may connect to a Unix
// socket.
func (a Address) Listen() (*Listener, error) {
	if a.network == "unix" {
		l, err := listenUnix(a.name)
		if err != nil {
			return nil, err
		}
		return &Listener{[]net.Listener{l}, a.String(), []string{"localhost"}}, nil
	}
	host, port, _ := net.SplitHostPort(a.name)
	all, err := listenTCP(host, port)
	if err != nil {
		return nil, Cause(err)
	}
	l := &Listener{All: all, URL: "http://" + all[0].Addr().String()}
	for _, one := range all {
		l.Hosts = append(l.Hosts, hosts(one.Addr().(*net.TCPAddr))...)
	}
	return l, nil
}

// hosts are the Host headers of requests to at.
func hosts(at *net.TCPAddr) []string {
	hosts := []string{at.String(), fmt.Sprintf("localhost:%d", at.Port)}
	if at.Port == 80 { // clients leave it out
		hosts = append(hosts, strings.TrimSuffix(hosts[0], ":80"), "localhost")
	}
	return hosts
}

// listenTCP takes one port. Of localhost it takes both addresses: if another
// user had one of them, clients would send him the secret.
func listenTCP(host, port string) ([]net.Listener, error) {
	if host != "localhost" {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		return []net.Listener{l}, err
	}
	for tries := 1; ; tries++ {
		four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, err
		}
		_, free, _ := net.SplitHostPort(four.Addr().String())
		six, err := net.Listen("tcp6", net.JoinHostPort("::1", free))
		switch {
		case err == nil:
			return []net.Listener{four, six}, nil
		case !hasIPv6():
			return []net.Listener{four}, nil
		}
		four.Close()
		if port != "0" || tries == 10 {
			return nil, err
		}
	}
}

// hasIPv6 reports whether this machine has the address ::1.
func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// Cause is err without the address, which the caller names.
func Cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// String is the address as ParseAddress takes it.
func (a Address) String() string {
	if a.network == "unix" {
		return "unix:" + a.name
	}
	return a.name
}
