//! Names in patterns: `cn=${username},ou=people`.

/// What the words in braces stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct FillVariables(Vec<(&'static str, String)>);

impl FillVariables {
    /// Those of a user. Names of Active Directory, `DOMAIN\USER`, have two parts.
    pub(crate) fn of_user(username: &str) -> Self {
        let mut all = vec![("username", username.to_owned())];
        let parts: Vec<_> = username.split('\\').filter(|part| !part.is_empty()).collect();
        if let [domain, user] = parts.as_slice() {
            all.extend([("ad_domain", (*domain).to_owned()), ("ad_user", (*user).to_owned())]);
        }
        Self(all)
    }

    /// The same with one more.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// What a word stands for.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A pattern in which the words stand for what they name.
    pub(crate) fn fill(&self, pattern: &str) -> String {
        self.filled(pattern, |_, value| value.to_owned())
    }

    /// The same of a distinguished name: what the words stand for is a value in it, and nothing more.
    pub(crate) fn fill_dn(&self, pattern: &str) -> String {
        self.filled(pattern, |name, value| if name == "user_dn" { value.to_owned() } else { escaped(value) })
    }

    /// Once from the left to the right: what a word stands for is not looked at again.
    fn filled(&self, pattern: &str, value_of: impl Fn(&str, &str) -> String) -> String {
        let (mut text, mut rest) = (String::new(), pattern);
        while let Some((before, after)) = rest.split_once("${") {
            text.push_str(before);
            let found = after.split_once('}').and_then(|(name, behind)| Some((name, self.get(name)?, behind)));
            rest = match found {
                Some((name, value, behind)) => {
                    text.push_str(&value_of(name, value));
                    behind
                }
                None => {
                    text.push_str("${");
                    after
                }
            };
        }
        text.push_str(rest);
        text
    }
}

/// Whether a pattern is one of a distinguished name.
pub(crate) fn is_dn(pattern: &str) -> bool {
    pattern.contains('=')
}

/// A value in a distinguished name (RFC 4514).
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, character) in value.chars().enumerate() {
        let is_at_an_end = at == 0 && matches!(character, ' ' | '#') || at == last && character == ' ';
        if is_at_an_end || matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=') {
            text.push('\\');
            text.push(character);
        } else if character == '\0' {
            text.push_str("\\00");
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_what_they_name() {
        let variables = FillVariables::of_user("anna").with("vhost", "/").with("user_dn", "cn=anna,ou=people");
        assert_eq!(variables.fill("${username}@${vhost} ${nothing} ${"), "anna@/ ${nothing} ${");
        assert_eq!(variables.fill_dn("ou=${vhost},${user_dn}"), "ou=/,cn=anna,ou=people");
        let domain = FillVariables::of_user("DOMAIN\\anna");
        assert_eq!(domain.fill("${ad_user} of ${ad_domain}"), "anna of DOMAIN");
    }

    /// Nobody is somebody else because of what a name holds.
    #[test]
    fn a_name_is_a_value_and_nothing_more() {
        let dn = |name: &str| FillVariables::of_user(name).fill_dn("cn=${username},ou=people");
        assert_eq!(dn("admin,ou=bosses"), "cn=admin\\,ou\\=bosses,ou=people");
        assert_eq!(dn(" #a+b\"c "), "cn=\\ #a\\+b\\\"c\\ ,ou=people");
        assert_eq!(dn("${username}"), "cn=${username},ou=people");
        assert_eq!(dn("#"), "cn=\\#,ou=people");
    }
}
