package flags

import (
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	// What the caller has set for braid is not for the tests.
	for _, set := range os.Environ() {
		if name, _, _ := strings.Cut(set, "="); strings.HasPrefix(name, "BRAID_") {
			os.Unsetenv(name)
		}
	}
	m.Run()
}
