import Testing

@Test("placeholder") func placeholderBytes() {}
