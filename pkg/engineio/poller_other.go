//go:build !linux

package engineio

// poller is not there: a reader stays with each WebSocket.
type poller struct{ ready func(*wsConn) }

func (*poller) enter(*wsConn) bool { return false }
func (*poller) arm(int) bool       { return false }
func (*poller) leave(*wsConn)      {}
