// Made by web/embed.mjs.
&[
    File { path: "/api/index.html", content_type: "text/html; charset=utf-8", etag: "\"397b3ac1a13697f7\"", gzip: include_bytes!("api/index.html.gz") },
    File { path: "/assets/api-8BE8gIBg.js", content_type: "text/javascript; charset=utf-8", etag: "\"367ec115e665aaff\"", gzip: include_bytes!("assets/api-8BE8gIBg.js.gz") },
    File { path: "/assets/index-BRjUAq8H.js", content_type: "text/javascript; charset=utf-8", etag: "\"3a35a63ead9b5e48\"", gzip: include_bytes!("assets/index-BRjUAq8H.js.gz") },
    File { path: "/assets/index-D7ph5aZl.css", content_type: "text/css; charset=utf-8", etag: "\"f753e6a15652855b\"", gzip: include_bytes!("assets/index-D7ph5aZl.css.gz") },
    File { path: "/assets/jsxRuntime-BYcp9D4E.js", content_type: "text/javascript; charset=utf-8", etag: "\"e569b29dfddfd1c9\"", gzip: include_bytes!("assets/jsxRuntime-BYcp9D4E.js.gz") },
    File { path: "/assets/layout.worker-pfoE2PWn.js", content_type: "text/javascript; charset=utf-8", etag: "\"10fcf7bbe4cfc86c\"", gzip: include_bytes!("assets/layout.worker-pfoE2PWn.js.gz") },
    File { path: "/assets/mark-0ti_ZK3K.svg", content_type: "image/svg+xml", etag: "\"cbdfbff75e6fe111\"", gzip: include_bytes!("assets/mark-0ti_ZK3K.svg.gz") },
    File { path: "/assets/oauth-C32IvlRw.js", content_type: "text/javascript; charset=utf-8", etag: "\"4c31b31247abd55d\"", gzip: include_bytes!("assets/oauth-C32IvlRw.js.gz") },
    File { path: "/assets/preferences-DKepHG86.js", content_type: "text/javascript; charset=utf-8", etag: "\"0792adfe21cbf26b\"", gzip: include_bytes!("assets/preferences-DKepHG86.js.gz") },
    File { path: "/assets/theme-C7efRifd.js", content_type: "text/javascript; charset=utf-8", etag: "\"da9d0933bb729c9a\"", gzip: include_bytes!("assets/theme-C7efRifd.js.gz") },
    File { path: "/assets/theme-DhgU7ksa.css", content_type: "text/css; charset=utf-8", etag: "\"6b1ebcfb13380816\"", gzip: include_bytes!("assets/theme-DhgU7ksa.css.gz") },
    File { path: "/cli/index.html", content_type: "text/html; charset=utf-8", etag: "\"fe67e532643f6f8e\"", gzip: include_bytes!("cli/index.html.gz") },
    File { path: "/cli/rabbitmqadmin", content_type: "application/x-sh", etag: "\"6dc2fa77990d5a12\"", gzip: include_bytes!("cli/rabbitmqadmin.gz") },
    File { path: "/index.html", content_type: "text/html; charset=utf-8", etag: "\"62bf8812bc35c030\"", gzip: include_bytes!("index.html.gz") },
]
