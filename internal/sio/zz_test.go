package sio
import ("testing";"os/exec";"fmt")
func TestZZ(t *testing.T) { u := ourApp(t); c := exec.Command("node", "/tmp/h2/js/t.mjs", u); b, err := c.CombinedOutput(); fmt.Println(string(b), err) }
