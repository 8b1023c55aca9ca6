package sandbox

// account is who may call.
type account struct{ id, secret, token string }

// account returns the one account of the moment.
func (s *Sandbox) account() account { return *s.who.Load() }

// SetCredentials replaces the account's credentials, as a cloud does with a role's: from now on, a request that is
// signed with the ones before is refused.
func (s *Sandbox) SetCredentials(accessKeyID, secretAccessKey, sessionToken string) {
	s.who.Store(&account{accessKeyID, secretAccessKey, sessionToken})
}
