package identity

// Kept is how many users the ledger holds.
func Kept(s *Service) int {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	return len(s.ledger.people)
}
