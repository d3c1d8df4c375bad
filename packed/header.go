package packed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/qat-go/qat/internal/tensorfile"
	"github.com/qat-go/qat/preprocess"
)

// Limits of a header beside its length: what a small one can cost.
const (
	maxMetadata   = 16      // keys
	maxSpecBytes  = 1 << 16 // 1,000 layers of a mode of their own
	maxEntryBytes = 1 << 10 // several times what a tensor takes
	// minLayerBytes is less than a block takes in a header: 12 parameters.
	minLayerBytes = 12 * 64
)

// decodeHeader makes a model without values of a header, and the sum of its values.
//
// Errors: whatever else than the header of that model.
func decodeHeader(header []byte) (m *Model, sum string, err error) {
	metadata, err := findMetadata(header)
	if err != nil {
		return nil, "", err
	}
	if err := checkMetadata(metadata); err != nil {
		return nil, "", err
	}
	m = &Model{}
	if err := m.decodeMetadata(metadata, len(header)); err != nil {
		return nil, "", err
	}
	if err := m.skeleton(); err != nil {
		return nil, "", err
	}
	entries := m.entries()
	if err := checkTotal(header, entries); err != nil {
		return nil, "", err
	}
	want, err := m.header(entries, metadata[sumKey])
	if err == nil && !bytes.Equal(header, want) {
		err = difference(header, want, entries)
	}
	return m, metadata[sumKey], err
}

// findMetadata reads the metadata of a header.
func findMetadata(header []byte) (metadata map[string]string, err error) {
	err = eachMember(header, func(key string, values *json.Decoder) (more bool, err error) {
		if key == tensorfile.MetadataKey {
			metadata, err = readMetadata(values)
			return false, err
		}
		var skipped json.RawMessage
		return true, values.Decode(&skipped)
	})
	if err == nil && metadata == nil {
		err = errors.New("no metadata: not a packed model")
	}
	if err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	return metadata, nil
}

// eachMember calls use with every key of a header, and with the decoder that is to
// read its value, until use wants no more.
func eachMember(header []byte, use func(key string, values *json.Decoder) (more bool, err error)) error {
	tokens := json.NewDecoder(bytes.NewReader(header))
	open, err := tokens.Token()
	if err != nil {
		return cutShort(err)
	}
	if open != json.Delim('{') {
		return fmt.Errorf("it begins %q, want {", fmt.Sprint(open))
	}
	for tokens.More() {
		key, err := tokens.Token()
		if err != nil {
			return cutShort(err)
		}
		if more, err := use(key.(string), tokens); err != nil || !more {
			return cutShort(err)
		}
	}
	_, err = tokens.Token() // the closing bracket
	return cutShort(err)
}

// readMetadata reads an object of strings, and of few.
func readMetadata(tokens *json.Decoder) (map[string]string, error) {
	open, err := tokens.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, fmt.Errorf("the metadata begin %q, want {", fmt.Sprint(open))
	}
	metadata := map[string]string{}
	for tokens.More() {
		key, err := tokens.Token()
		if err != nil {
			return nil, err
		}
		value, err := tokens.Token()
		if err != nil {
			return nil, err
		}
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("metadata %q: %v, want a text", key, value)
		}
		if metadata[key.(string)] = text; len(metadata) > maxMetadata {
			return nil, fmt.Errorf("more than %d metadata", maxMetadata)
		}
	}
	_, err = tokens.Token() // the closing bracket
	return metadata, err
}

// checkMetadata judges the format and the keys.
func checkMetadata(metadata map[string]string) error {
	if got := metadata[formatKey]; got != format {
		return fmt.Errorf("not a packed model: format is %q, want %q", got, format)
	}
	if got := metadata[versionKey]; got != version {
		return fmt.Errorf("version is %q, want %q", got, version)
	}
	known := []string{formatKey, versionKey, specKey, sumKey, headKey, inputKey}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("metadata %q, want one of %q", key, known)
		}
	}
	for _, key := range known[:4] {
		if _, ok := metadata[key]; !ok {
			return fmt.Errorf("metadata %q is missing", key)
		}
	}
	return nil
}

// decodeMetadata sets what is not a tensor, and judges it before it costs anything.
func (m *Model) decodeMetadata(metadata map[string]string, headerBytes int) error {
	if err := checkSpecBytes(len(metadata[specKey])); err != nil {
		return err
	}
	if err := unmarshal(metadata, specKey, &m.Spec); err != nil {
		return err
	}
	if most := headerBytes / minLayerBytes; m.Spec.NumLayers > most {
		return fmt.Errorf("spec: %d layers, but a header of %d bytes lists those of at most %d", m.Spec.NumLayers, headerBytes, most)
	}
	if _, ok := metadata[headKey]; ok {
		m.Head = &Head{}
		if err := unmarshal(metadata, headKey, m.Head); err != nil {
			return err
		}
	}
	if _, ok := metadata[inputKey]; ok {
		m.Input = &preprocess.Pipeline{}
		if err := unmarshal(metadata, inputKey, m.Input); err != nil {
			return err
		}
	}
	if errs := m.metadataFaults(); len(errs) > 0 {
		return errs[0]
	}
	return nil
}

func unmarshal(metadata map[string]string, key string, into any) error {
	d := json.NewDecoder(strings.NewReader(metadata[key]))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("metadata %q: %w", key, cutShort(err))
	}
	return nil
}
