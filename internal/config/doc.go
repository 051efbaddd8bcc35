// Package config reads the environment once, checks every value, and hands the result out as one struct. It is the only
// reader of the environment. The help text, the README's table and the checks come from the same struct tags.
package config
