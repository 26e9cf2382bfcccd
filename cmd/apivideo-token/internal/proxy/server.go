package proxy

import (
	"container/list"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// strangerTime is how long a client may take for a request until it has shown
	// the secret, and for the rest of an upload that has got its answer.
	strangerTime = 10 * time.Second
	// idleTime is how long a connection may be idle.
	idleTime = time.Minute
	// maxStrangers is how many connections may be open that have not shown the
	// secret. Then the oldest is closed. Systems allow a process 1,024 files.
	maxStrangers = 128
	// maxHeader is the size limit of a request's header, in bytes. Strangers could
	// fill the memory with long ones.
	maxHeader = 64 << 10
)

// NewServer returns a server for a handler that leads to p.
func (p *Proxy) NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            strangerTime,
		IdleTimeout:                  idleTime,
		MaxHeaderBytes:               maxHeader,
		ErrorLog:                     log.New(io.Discard, "", 0),
		DisableGeneralOptionsHandler: true, // p refuses "OPTIONS *"
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			for {
				outer, ok := c.(interface{ NetConn() net.Conn }) // a *tls.Conn, for example
				if !ok {
					return context.WithValue(ctx, connKey{}, c)
				}
				c = outer.NetConn()
			}
		},
	}
}

// Watch returns l with limits for connections that have not shown the secret.
func (p *Proxy) Watch(l net.Listener) net.Listener { return &watched{l, &p.crowd} }

type watched struct {
	net.Listener
	crowd *crowd
}

func (l *watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &conn{Conn: c, crowd: l.crowd}
	conn.enter()
	return conn, nil
}

// crowd are the open connections that have not shown the secret.
type crowd struct {
	mu    sync.Mutex
	conns list.List // of *conn, the oldest first; mu guards it
}

// conn is a connection that is closed if it stays in the crowd for too long.
type conn struct {
	net.Conn
	crowd *crowd

	// crowd.mu guards what follows.
	timer  *time.Timer   // closes it
	place  *list.Element // in crowd.conns, or nil
	closed bool
}

type connKey struct{}

// connOf returns the connection that r came over, or nil if nobody watches it.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}

// enter puts c into the crowd, and closes the oldest there if it is too large.
func (c *conn) enter() {
	if oldest := c.join(); oldest != nil {
		oldest.Close()
	}
}

// join is enter, but returns the connection to close.
func (c *conn) join() (oldest *conn) {
	c.crowd.mu.Lock()
	defer c.crowd.mu.Unlock()
	if c.closed {
		return nil
	}
	if c.crowd.conns.Len() >= maxStrangers {
		oldest = c.crowd.conns.Front().Value.(*conn)
	}
	c.place = c.crowd.conns.PushBack(c)
	c.timer = time.AfterFunc(strangerTime, func() { c.Close() })
	return oldest
}

// leave takes c out of the crowd. It reports whether c was in it.
func (c *conn) leave() bool {
	c.crowd.mu.Lock()
	defer c.crowd.mu.Unlock()
	return c.remove()
}

// remove is leave for callers that hold crowd.mu.
func (c *conn) remove() bool {
	if c.place == nil {
		return false
	}
	c.timer.Stop()
	c.crowd.conns.Remove(c.place)
	c.place = nil
	return true
}

func (c *conn) Close() error {
	c.crowd.mu.Lock()
	c.closed = true
	c.remove()
	c.crowd.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite is for package net/http, which closes a connection gently if it
// can.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
