// Made by web/embed.mjs.
&[
    File { path: "/api/index.html", content_type: "text/html; charset=utf-8", etag: "\"0e7c566a1dc42556\"", gzip: include_bytes!("api/index.html.gz") },
    File { path: "/assets/api-DbbvLyH2.js", content_type: "text/javascript; charset=utf-8", etag: "\"23160eb18ee46e45\"", gzip: include_bytes!("assets/api-DbbvLyH2.js.gz") },
    File { path: "/assets/jsxRuntime-CsNh8q1C.js", content_type: "text/javascript; charset=utf-8", etag: "\"443869bde8192e16\"", gzip: include_bytes!("assets/jsxRuntime-CsNh8q1C.js.gz") },
    File { path: "/assets/layout.worker-pfoE2PWn.js", content_type: "text/javascript; charset=utf-8", etag: "\"10fcf7bbe4cfc86c\"", gzip: include_bytes!("assets/layout.worker-pfoE2PWn.js.gz") },
    File { path: "/assets/main-BIxXSL6u.js", content_type: "text/javascript; charset=utf-8", etag: "\"97f326b7202435f6\"", gzip: include_bytes!("assets/main-BIxXSL6u.js.gz") },
    File { path: "/assets/main-D7ph5aZl.css", content_type: "text/css; charset=utf-8", etag: "\"f753e6a15652855b\"", gzip: include_bytes!("assets/main-D7ph5aZl.css.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/assets/oauth-BUTC5z-s.js", content_type: "text/javascript; charset=utf-8", etag: "\"15bfdfbf4d72022c\"", gzip: include_bytes!("assets/oauth-BUTC5z-s.js.gz") },
    File { path: "/assets/preferences-DKepHG86.js", content_type: "text/javascript; charset=utf-8", etag: "\"0792adfe21cbf26b\"", gzip: include_bytes!("assets/preferences-DKepHG86.js.gz") },
    File { path: "/assets/theme-C7efRifd.js", content_type: "text/javascript; charset=utf-8", etag: "\"da9d0933bb729c9a\"", gzip: include_bytes!("assets/theme-C7efRifd.js.gz") },
    File { path: "/assets/theme-DhgU7ksa.css", content_type: "text/css; charset=utf-8", etag: "\"6b1ebcfb13380816\"", gzip: include_bytes!("assets/theme-DhgU7ksa.css.gz") },
    File { path: "/cli/index.html", content_type: "text/html; charset=utf-8", etag: "\"3e4dfc63924476c1\"", gzip: include_bytes!("cli/index.html.gz") },
    File { path: "/cli/rabbitmqadmin", content_type: "application/x-sh", etag: "\"6dc2fa77990d5a12\"", gzip: include_bytes!("cli/rabbitmqadmin.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"23e4e19bc4750f89\"", gzip: include_bytes!("index.html.gz") },
    File { path: "/js/oidc-oauth/login-callback.html", content_type: "text/html; charset=utf-8", etag: "\"ad8d3a4501e51872\"", gzip: include_bytes!("js/oidc-oauth/login-callback.html.gz") },
]
