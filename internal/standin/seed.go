package standin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Seed adds what a JSON object describes: for names of resources, lists of
// their items. An item may set every field of the table, those that clients
// cannot set included. The error names the line.
func (s *Service) Seed(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	err := s.seed(decoder)
	offset := decoder.InputOffset()
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err, offset = errors.New("the JSON ends too early"), int64(len(data))
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n")), err)
}

func (s *Service) seed(decoder *json.Decoder) error {
	expect := func(want json.Delim) error {
		token, err := decoder.Token()
		if err == nil && token != want {
			err = fmt.Errorf("%v where %q should be", token, want.String())
		}
		return err
	}
	if err := expect('{'); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(resources, func(r Resource) bool { return r.Name == name && r.Fields != nil && r.Of == "" && r.Derive == nil })
		if i < 0 {
			return fmt.Errorf("there is no resource %q", name)
		}
		if err := expect('['); err != nil {
			return err
		}
		for decoder.More() {
			var in payload
			if err := decoder.Decode(&in); err != nil {
				return err
			}
			if err := s.seedItem(&resources[i], in); err != nil {
				return fmt.Errorf("%v: %w", name, err)
			}
		}
		if err := expect(']'); err != nil {
			return err
		}
	}
	if err := expect('}'); err != nil {
		return err
	}
	token, err := decoder.Token()
	switch {
	case err == io.EOF:
		return nil
	case err == nil:
		return fmt.Errorf("%v after the end", token)
	}
	return err
}

// seedItem adds an item.
func (s *Service) seedItem(r *Resource, in payload) error {
	it := &item{values: defaults(r.Fields)}
	if r.Parent != "" {
		parent := resource(r.Parent)
		id, _ := in[parent.ID].(string)
		if it.parent = s.api.get(parent, nil, id); it.parent == nil {
			return fmt.Errorf("%s: there is no such one before", parent.ID)
		}
		delete(in, parent.ID)
	}
	for name := range in {
		if !slices.ContainsFunc(r.Fields, func(f Field) bool { return f.Name == name }) {
			return fmt.Errorf("there is no field %q", name)
		}
	}
	if wrong := apply(r.Fields, in, onSeed, "", it.values); len(wrong) > 0 {
		return fmt.Errorf("%s: %s", wrong[0].Name, cmp.Or(wrong[0].Detail, wrong[0].Title))
	}
	it.id, _ = it.values[r.ID].(string)
	if it.id == "" && r.Prefix == "" {
		return fmt.Errorf("%s: it is missing", r.ID)
	}
	if p := s.api.place(r, it); p != nil {
		return errors.New(p.Title)
	}
	if size, ok := it.values["filesize"].(int64); ok {
		it.upload.add(place{first: 1, total: 1}, part{size: size})
	}
	return nil
}

// UploadedFile returns the file that was uploaded to a video. It is nil until
// all parts have arrived, if there is no such video, and without a Keeper.
func (s *Service) UploadedFile(videoID string) Blob {
	it := s.api.find("videos", videoID)
	if it == nil {
		return nil
	}
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	return it.upload.file
}
