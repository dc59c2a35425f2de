import Testing

@Test("placeholder") func placeholderServer() {}
