import Testing

@Test("placeholder") func placeholderLog() {}
