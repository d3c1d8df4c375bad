package report

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chromium is where Debian has it.
const chromium = "/usr/bin/chromium"

// TestBrowser looks at the page in a real browser: it draws at the width of a
// screen and of a telephone, says nothing on the console, and asks for nothing.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("no browser: ", err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	r := sample(10, 30)
	r.Confusion.Classes[3] = "<script>document.body.innerHTML=''; console.error('ran')</script>"
	require.NoError(t, Write(path, r))
	for name, width := range map[string]int{"wide": 1200, "narrow": 400} {
		t.Run(name, func(t *testing.T) {
			picture := filepath.Join(dir, name+".png")
			said := browse(t, width, "--screenshot="+picture, "file://"+path)
			assert.NotContains(t, said, "CONSOLE")
			assert.NotContains(t, said, "Refused to")
			f, err := os.Open(picture)
			require.NoError(t, err)
			defer f.Close()
			im, err := png.Decode(f)
			require.NoError(t, err)
			assert.Equal(t, image.Pt(width, windowHeight), im.Bounds().Size())
			assert.Greater(t, colours(im), 50, "text, curves and shades")
		})
	}
}

const windowHeight = 2400

// browse runs the browser once and returns what it says, its console included.
func browse(t *testing.T, width int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	profile := filepath.Join(t.TempDir(), "profile")
	cmd := exec.CommandContext(ctx, chromium, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr",
		"--user-data-dir=" + profile, fmt.Sprintf("--window-size=%d,%d", width, windowHeight),
	}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// colours counts the colours of a picture, up to 100.
func colours(im image.Image) int {
	seen := map[[3]uint32]bool{}
	b := im.Bounds()
	for y := b.Min.Y; y < b.Max.Y && len(seen) < 100; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, b, _ := im.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}
