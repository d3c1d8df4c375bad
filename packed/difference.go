package packed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/qat-go/qat/internal/tensorfile"
)

// difference says how a header is not the one that its metadata ask for: by tensor
// where it can.
func difference(header, want []byte, entries []entry) error {
	type place struct {
		*entry
		begin int64
		seen  bool
	}
	places := make(map[string]*place, len(entries))
	at := int64(0)
	for i := range entries {
		places[entries[i].name] = &place{entry: &entries[i], begin: at}
		at += entries[i].bytes()
	}
	err := eachMember(header, func(key string, values *json.Decoder) (more bool, err error) {
		var value json.RawMessage
		if err := values.Decode(&value); err != nil || key == tensorfile.MetadataKey {
			return true, err
		}
		p := places[key]
		switch {
		case p == nil:
			return false, fmt.Errorf("tensor %q: the model has none of this name", tensorfile.Clip(key))
		case p.seen:
			return false, fmt.Errorf("tensor %s is there twice", key)
		}
		p.seen = true
		if err := p.check(value, p.begin); err != nil {
			return false, fmt.Errorf("tensor %s: %w", key, err)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("the header: %w", err)
	}
	for i := range entries {
		if name := entries[i].name; !places[name].seen {
			return fmt.Errorf("the header: tensor %s is missing", name)
		}
	}
	same := 0
	for same < min(len(header), len(want)) && header[same] == want[same] {
		same++
	}
	return fmt.Errorf("the header: from byte %d on it is %.24q, want %.24q: a model has one text", same, header[same:], want[same:])
}

// tensorInfo is what a header says of a tensor.
type tensorInfo struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
}

// check judges what a header says of the tensor.
func (e *entry) check(text json.RawMessage, begin int64) error {
	var info tensorInfo
	if len(text) > maxEntryBytes {
		return fmt.Errorf("%d bytes of the header, want at most %d", len(text), maxEntryBytes)
	}
	values := json.NewDecoder(bytes.NewReader(text))
	values.DisallowUnknownFields()
	if err := values.Decode(&info); err != nil {
		return err
	}
	shape := make([]uint64, len(e.shape))
	for i, d := range e.shape {
		shape[i] = uint64(d)
	}
	offsets := []uint64{uint64(begin), uint64(begin + e.bytes())}
	switch {
	case info.DType != e.dtype():
		return fmt.Errorf("type %q, want %s", info.DType, e.dtype())
	case !slices.Equal(info.Shape, shape):
		return fmt.Errorf("shape %v, want %v", info.Shape, shape)
	case !slices.Equal(info.Offsets, offsets):
		return fmt.Errorf("bytes %v of the data, want %v", info.Offsets, offsets)
	}
	return nil
}
