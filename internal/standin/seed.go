package standin

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Seed adds what a JSON object describes: for names of resources, lists of
// their items. An item may set every field of the table, those that clients
// cannot set included. The error names the line.
func (s *Service) Seed(data []byte) error {
	atLine := func(offset int64, err error) error {
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal(data, &map[string][]payload{}); {
	case errors.As(err, &syntax):
		return atLine(syntax.Offset, err)
	case errors.As(err, &kind):
		return atLine(kind.Offset, fmt.Errorf("it must be an object of lists of objects, not %s", kind.Value))
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.Token() // that the object begins with
	for decoder.More() {
		name, _ := decoder.Token()
		i := slices.IndexFunc(resources, func(r Resource) bool { return r.Name == name && r.Create != 0 })
		if i < 0 {
			return atLine(decoder.InputOffset(), fmt.Errorf("there is no resource %q", name))
		}
		var items []json.RawMessage
		begin := decoder.InputOffset()
		decoder.Decode(&items)
		for _, item := range items {
			begin += int64(bytes.Index(data[begin:], item) + len(item))
			if err := s.seedItem(&resources[i], item); err != nil {
				return atLine(begin, fmt.Errorf("%v: %w", name, err))
			}
		}
	}
	return nil
}

// seedItem adds an item.
func (s *Service) seedItem(r *Resource, data []byte) error {
	it, err := s.readItem(r, data)
	if err != nil {
		return err
	}
	if p := s.api.place(r, it); p != nil {
		return errors.New(p.Title)
	}
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	if size, _ := it.values["filesize"].(int64); size > 0 {
		it.upload.add(part{place: whole(size), size: size})
	}
	return nil
}

// readItem makes the item that a JSON object describes.
func (s *Service) readItem(r *Resource, data []byte) (*item, error) {
	var in payload
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoder.Decode(&in)
	it := &item{values: defaults(r.Fields)}
	if r.Parent != "" {
		parent := resource(r.Parent)
		id, _ := in[parent.ID].(string)
		if it.parent = s.api.get(parent, nil, id); it.parent == nil {
			return nil, fmt.Errorf("%s: there is no such one before", parent.ID)
		}
		delete(in, parent.ID)
	}
	for name := range in {
		if !slices.ContainsFunc(r.Fields, func(f Field) bool { return f.Name == name }) {
			return nil, fmt.Errorf("there is no field %q", name)
		}
	}
	if wrong := apply(r.Fields, in, onSeed, "", it.values); len(wrong) > 0 {
		return nil, fmt.Errorf("%s: %s", wrong[0].Name, cmp.Or(wrong[0].Detail, wrong[0].Title))
	}
	it.id, _ = it.values[r.ID].(string)
	switch {
	case it.id == "" && r.Prefix == "":
		return nil, fmt.Errorf("%s: it is missing", r.ID)
	case it.id != "" && s.api.find(r.Name, it.key()) != nil:
		return nil, fmt.Errorf("%s: %q is there already", r.ID, it.id)
	}
	for _, name := range []string{"expiresAt", "deletesAt"} {
		if at, ok := it.values[name].(string); ok {
			it.expiry, _ = time.Parse(time.RFC3339, at)
		}
	}
	return it, nil
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
