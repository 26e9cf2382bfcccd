package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// listVideos gets a token from api.video and lists the first videos.
func listVideos(ctx context.Context, w io.Writer, key, baseURL string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conf := &apivideo.Config{
		APIKey:      key,
		BaseURL:     cmp.Or(baseURL, apivideo.ProductionURL),
		Application: apivideo.Product{Name: "apivideo-quickstart", Version: "1"},
	}
	fmt.Fprintf(w, "Logging in at %s\n", conf.BaseURL)
	src := conf.Source(ctx)
	tok, err := src.TokenContext(ctx)
	if errors.Is(err, apivideo.ErrInvalidAPIKey) {
		return fmt.Errorf("%w at %s; sandbox and production have separate keys", err, conf.BaseURL)
	}
	if err != nil {
		return err
	}
	videos, err := firstVideos(ctx, src.Client(ctx), conf.BaseURL)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "The first %d videos:\n", len(videos))
	for _, v := range videos {
		fmt.Fprintf(w, "  %-24s %s\n", printable(v.ID), printable(v.Title))
	}
	fmt.Fprintf(w, "The token expires at %s, in %s.\n",
		tok.Expiry.Format(time.TimeOnly), time.Until(tok.Expiry).Round(time.Second))
	return nil
}

type video struct {
	ID    string `json:"videoId"`
	Title string `json:"title"`
}

func firstVideos(ctx context.Context, client *http.Client, baseURL string) ([]video, error) {
	list, err := url.JoinPath(baseURL, "videos")
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, list+"?currentPage=1&pageSize=5", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("listing the videos: %s", resp.Status)
	}
	var page struct {
		Data []video `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&page); err != nil {
		return nil, fmt.Errorf("listing the videos: %w", err)
	}
	return page.Data, nil
}

// printable returns s without control characters, which could change what a
// terminal shows.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}
