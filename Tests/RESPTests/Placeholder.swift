import Testing

@Test("placeholder") func placeholderRESP() {}
