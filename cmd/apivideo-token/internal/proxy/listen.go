package proxy

import (
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

// Listener is where requests arrive.
type Listener struct {
	net.Listener
	URL   string   // http://127.0.0.1:8787, or unix:/path
	Hosts []string // the Host headers that are its own
}

// Listen listens at a. Only the user of this process may connect to a Unix
// socket.
func (a Address) Listen() (*Listener, error) {
	if a.network == "unix" {
		l, err := listenUnix(a.name)
		if err != nil {
			return nil, err
		}
		return &Listener{l, "unix:" + a.name, []string{"localhost"}}, nil
	}
	l, err := net.Listen(a.network, a.name)
	if err != nil {
		return nil, cause(err)
	}
	at := l.Addr().(*net.TCPAddr)
	hosts := []string{at.String(), fmt.Sprintf("localhost:%d", at.Port)}
	if at.Port == 80 { // clients leave it out
		hosts = append(hosts, strings.TrimSuffix(hosts[0], ":80"), "localhost")
	}
	return &Listener{l, "http://" + at.String(), hosts}, nil
}

// cause is err without the address, which the caller names.
func cause(err error) error {
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
