from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Task",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
            options={
                "permissions": (
                    ("submit_task", "Can submit tasks"),
                    ("view_task", "Can view tasks, results, queues and periodic tasks"),
                    ("cancel_task", "Can cancel tasks"),
                ),
                "managed": False,
                "default_permissions": (),
            },
        ),
    ]
