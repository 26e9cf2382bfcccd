package year_test

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/apivideo/api.video-go-oauth2/integration/internal/model"
	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
)

// newBox returns the name of an account in a Store, and what opens and makes
// its values.
func newBox(apiKey, baseURL string) (name string, box *seal.Box, err error) {
	if name, err = seal.Name(apiKey, baseURL); err == nil {
		box, err = seal.New(apiKey, baseURL, name)
	}
	return name, box, err
}

// grant is what a value says. It has a token, or a failure, or both.
type grant struct {
	Issued      time.Time
	Lifetime    time.Duration
	AccessToken string `json:"access_token"`
	Failure     *struct {
		At   time.Time
		Wait time.Duration
	}

	plain []byte
}

func read(box *seal.Box, sealed []byte) (*grant, error) {
	g := &grant{plain: box.Open(sealed)}
	if err := json.Unmarshal(g.plain, g); err != nil {
		return nil, err
	}
	if g.Failure == nil && (g.Issued.IsZero() || g.Lifetime <= 0 || g.AccessToken == "") {
		return nil, errors.New("it lacks a field")
	}
	return g, nil
}

// shift changes the times of g.
func (g *grant) shift(by time.Duration) error {
	var fields, failure map[string]any
	if err := json.Unmarshal(g.plain, &fields); err != nil {
		return err
	}
	g.Issued = g.Issued.Add(by)
	fields["issued"] = g.Issued
	if g.Failure != nil {
		failure = fields["failure"].(map[string]any)
		g.Failure.At = g.Failure.At.Add(by)
		failure["at"] = g.Failure.At
	}
	var err error
	g.plain, err = json.Marshal(fields)
	return err
}

// clock is the Store as a replica uses it whose clock is ahead of the others'.
// A bubble has one clock for all, so the difference is in the values: in what
// the replica writes they say what its clock would, and what it reads is put
// back. On the way, the model learns what the replica is told.
type clock struct {
	*memstore.Store
	box    *seal.Box
	source *model.Source
	ahead  time.Duration
}

// Load implements apivideo.Store.
func (c *clock) Load(ctx context.Context, key string) ([]byte, error) {
	raw, err := c.Store.Load(ctx, key)
	if err != nil || raw == nil {
		return nil, err
	}
	_, value := c.translate(raw)
	return value, nil
}

// Update implements apivideo.Store.
func (c *clock) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	return c.Store.Update(ctx, key, func(ctx context.Context, raw []byte) ([]byte, error) {
		old, was := c.translate(raw)
		// What seems to be issued in more than an hour is of a clock that is wrong.
		suffices := c.source.Suffices(old.AccessToken) && time.Until(old.Issued) <= time.Hour
		value, err := fn(ctx, was)
		if err != nil || value == nil {
			return nil, err
		}
		if suffices {
			c.wrong("it renews a token that lasts")
		}
		g, err := read(c.box, value)
		if err == nil {
			err = g.shift(c.ahead)
		}
		if err != nil {
			c.wrong("it stores what cannot be opened: %v", err)
			return nil, err
		}
		return c.box.Seal(g.plain), nil
	})
}

// translate returns what a value says by the clock of the replica, and a value
// that says so.
func (c *clock) translate(raw []byte) (*grant, []byte) {
	if raw == nil {
		return new(grant), nil
	}
	g, err := read(c.box, raw)
	if err == nil {
		err = g.shift(-c.ahead)
	}
	if err != nil {
		c.wrong("the store has what cannot be opened: %v", err)
		return new(grant), nil
	}
	if g.AccessToken != "" {
		c.source.Told(g.AccessToken, g.Issued, g.Lifetime)
	}
	if g.Failure != nil {
		c.source.ToldFailure(g.Failure.At, g.Failure.Wait)
	}
	return g, c.box.Seal(g.plain)
}

func (c *clock) wrong(format string, args ...any) {
	c.source.Lock()
	defer c.source.Unlock()
	c.source.Fault(format, args...)
}
