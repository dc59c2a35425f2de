import Testing

@Test("placeholder") func placeholderPeer() {}
