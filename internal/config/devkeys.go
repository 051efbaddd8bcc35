package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/joho/godotenv"
)

// DevKeysFile keeps the secret and the API key that development made, so that a token made in another terminal, or
// before a restart, still works. It is never read in production.
const DevKeysFile = ".realtime-dev.env"

// FillDevelopment gives a development configuration the session secret and API key that it lacks: those of DevKeysFile,
// or new ones, which are written there for the owner alone (0600). It reports whether any were filled in.
func (c *Config) FillDevelopment() (bool, error) {
	if c.Env == Production {
		return false, nil
	}
	needSecret, needKey := len(c.Secrets()) == 0, len(c.APIKeys) == 0 && c.EmitHTTP
	if !needSecret && !needKey {
		return false, nil
	}
	keys, err := godotenv.Read(DevKeysFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("%s cannot be read: %w", DevKeysFile, err)
	}
	if keys["NEXTAUTH_SECRET"] == "" || keys["REALTIME_API_KEY"] == "" {
		keys = map[string]string{"NEXTAUTH_SECRET": "dev-" + randomText(), "REALTIME_API_KEY": "dev-" + randomText()}
		text := fmt.Sprintf("# Made by the development server; delete to get new ones.\nNEXTAUTH_SECRET=%s\nREALTIME_API_KEY=%s\n",
			keys["NEXTAUTH_SECRET"], keys["REALTIME_API_KEY"])
		if err := os.WriteFile(DevKeysFile, []byte(text), 0o600); err != nil {
			return false, fmt.Errorf("%s cannot be written: %w", DevKeysFile, err)
		}
	}
	if needSecret {
		c.Secret = keys["NEXTAUTH_SECRET"]
	}
	if needKey {
		c.APIKeys = []string{keys["REALTIME_API_KEY"]}
	}
	return true, nil
}

func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
