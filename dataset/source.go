package dataset

import (
	"fmt"
	"slices"
	"strings"
)

// Source says which data a run used and how it was split, so that the same parts
// can be made again.
type Source struct {
	Name  string `json:"name"`  // digits
	Split string `json:"split"` // given, shuffled or validation
	// TestFraction and Seed belong to the shuffled split.
	TestFraction float64 `json:"test_fraction,omitempty"`
	Seed         uint64  `json:"seed,omitempty"`
	// ValidationFraction of the training part, drawn at random by Seed, is held out
	// to watch the training by; 0 for none.
	ValidationFraction float64 `json:"validation_fraction,omitempty"`
}

// Parts is a source's data, split.
type Parts struct {
	Train, Test *Set
	Validation  *Set // nil for none
}

// The splits of a Source.
const (
	// SplitGiven keeps the parts that the data comes with.
	SplitGiven = "given"
	// SplitRandom draws the test part from all of the data.
	SplitRandom = "shuffled"
	// SplitValidation makes a test part of the last fifth of the given training
	// part: for choosing between recipes, which the given test part must not do.
	SplitValidation = "validation"
)

// Sources lists the names that a Source may have.
func Sources() []string { return []string{"digits"} }

// Splits lists the splits that a Source may have.
func Splits() []string { return []string{SplitGiven, SplitRandom, SplitValidation} }

// Validate reports every fault of s at once.
func (s Source) Validate() error {
	if !slices.Contains(Sources(), s.Name) {
		return fmt.Errorf("dataset: unknown data %q: want %s", s.Name, strings.Join(Sources(), ", "))
	}
	if !slices.Contains(Splits(), s.Split) {
		return fmt.Errorf("dataset: unknown split %q: want one of %s", s.Split, strings.Join(Splits(), ", "))
	}
	if s.Split == SplitRandom && !(s.TestFraction > 0 && s.TestFraction < 1) {
		return fmt.Errorf("dataset: test fraction %v is outside (0, 1)", s.TestFraction)
	}
	if !(s.ValidationFraction >= 0 && s.ValidationFraction < 1) {
		return fmt.Errorf("dataset: validation fraction %v is outside [0, 1)", s.ValidationFraction)
	}
	return nil
}

// Load reads the data and splits it.
func (s Source) Load() (Parts, error) {
	if err := s.Validate(); err != nil {
		return Parts{}, err
	}
	train, test, err := s.load()
	if err != nil || s.ValidationFraction == 0 {
		return Parts{Train: train, Test: test}, err
	}
	train, validation, err := train.SplitShuffled(s.ValidationFraction, s.Seed)
	return Parts{train, test, validation}, err
}

func (s Source) load() (train, test *Set, err error) {
	all, err := Digits()
	if err != nil {
		return nil, nil, err
	}
	if s.Split == SplitRandom {
		return all.SplitShuffled(s.TestFraction, s.Seed)
	}
	train, test, err = all.SplitAt(DigitsTrain)
	if err != nil || s.Split == SplitGiven {
		return train, test, err
	}
	return train.SplitAt(train.Len() * 4 / 5)
}
